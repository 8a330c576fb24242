#include "learn/metrics.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "base/rng.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

struct Values {
  double ece = 0;
  double ece_floor = 0;
  double brier = 0;
  double log_loss = 0;
  double auroc = 0.5;
  bool has_auroc = false;
};

// What falls into one bin of equal mass.
struct Bin {
  double weight = 0;
  double predicted = 0;
  double observed = 0;
  double variance = 0;  // Of `observed`, if what was predicted is true.
};

struct SortedRow {
  double predicted = 0;
  double target = 0;
  double log_loss = 0;
  std::size_t query = 0;  // Dense index.
};

struct Sorted {
  std::vector<SortedRow> rows;  // By prediction.
  std::size_t queries = 0;
};

Sorted sorted_by_prediction(std::span<const Scored> rows) {
  std::vector<std::uint64_t> names;
  for (const Scored& row : rows) names.push_back(row.query);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  Sorted sorted;
  sorted.queries = names.size();
  for (const Scored& row : rows) {
    const double p = std::clamp(row.predicted, 1e-6, 1 - 1e-6);
    const double loss = -row.target * logarithm(p) - (1 - row.target) * logarithm(1 - p);
    const auto place = std::ranges::lower_bound(names, row.query) - names.begin();
    sorted.rows.push_back({row.predicted, row.target, loss, static_cast<std::size_t>(place)});
  }
  std::ranges::sort(sorted.rows, {}, [](const SortedRow& row) {
    return std::tuple(row.predicted, row.target, row.query);
  });
  return sorted;
}

// The bin of what has `before` of `total` below it and `weight` itself.
std::size_t bin_of(double before, double weight, double total, std::size_t bins) {
  const double place = (before + weight / 2) / total * static_cast<double>(bins);
  return std::min(static_cast<std::size_t>(place), bins - 1);
}

// One pass over groups of equal prediction. `weights` are those of the queries.
Values values_of(std::span<const SortedRow> rows, std::span<const double> weights,
                 std::vector<Bin>& bins) {
  double total = 0;
  for (const SortedRow& row : rows) total += weights[row.query];
  std::ranges::fill(bins, Bin{});
  Values values;
  double before = 0;
  double wrong_before = 0;
  double pairs = 0;
  double right = 0;
  for (std::size_t i = 0; i < rows.size();) {
    Bin group;
    const double predicted = rows[i].predicted;
    for (; i < rows.size() && rows[i].predicted == predicted; ++i) {
      const SortedRow& row = rows[i];
      const double weight = weights[row.query];
      const double away = row.predicted - row.target;
      group.weight += weight;
      group.observed += weight * row.target;
      values.brier += weight * away * away;
      values.log_loss += weight * row.log_loss;
    }
    if (group.weight == 0) continue;
    const double wrong = group.weight - group.observed;
    pairs += group.observed * (wrong_before + wrong / 2);
    right += group.observed;
    wrong_before += wrong;
    Bin& bin = bins[bin_of(before, group.weight, total, bins.size())];
    bin.weight += group.weight;
    bin.predicted += group.weight * predicted;
    bin.variance += group.weight * predicted * (1 - predicted);
    bin.observed += group.observed;
    before += group.weight;
  }
  constexpr double kMeanOfHalfNormal = 0.7978845608028654;
  for (const Bin& bin : bins) {
    values.ece += std::abs(bin.predicted - bin.observed) / total;
    values.ece_floor += kMeanOfHalfNormal * std::sqrt(bin.variance) / total;
  }
  values.brier /= total;
  values.log_loss /= total;
  values.has_auroc = right > 0 && wrong_before > 0;
  if (values.has_auroc) values.auroc = pairs / (right * wrong_before);
  return values;
}

Interval interval_of(double value, std::vector<double> samples, double low, double high) {
  if (samples.empty()) return {value, value, value};
  std::ranges::sort(samples);
  const auto quantile = [&](double share) {
    const double place = share * static_cast<double>(samples.size() - 1);
    return samples[static_cast<std::size_t>(std::lround(place))];
  };
  const double shift = value - quantile(0.5);
  return {value, std::clamp(quantile(0.025) + shift, low, value),
          std::clamp(quantile(0.975) + shift, value, high)};
}

}  // namespace

Metrics measure(std::span<const Scored> rows, const MetricOptions& options) {
  HF_ASSERT(options.bins > 0);
  Metrics metrics;
  metrics.rows = rows.size();
  if (rows.empty()) return metrics;
  const auto [sorted, queries] = sorted_by_prediction(rows);
  metrics.queries = queries;
  std::vector<Bin> bins(options.bins);
  std::vector<double> weights(metrics.queries, 1);
  const Values value = values_of(sorted, weights, bins);

  std::vector<double> ece;
  std::vector<double> brier;
  std::vector<double> log_loss;
  std::vector<double> auroc;
  Rng rng(options.seed);
  for (std::size_t i = 0; i < options.replicates; ++i) {
    std::ranges::fill(weights, 0);
    for (std::size_t k = 0; k < metrics.queries; ++k) weights[rng.below(metrics.queries)] += 1;
    const Values sample = values_of(sorted, weights, bins);
    ece.push_back(sample.ece);
    brier.push_back(sample.brier);
    log_loss.push_back(sample.log_loss);
    auroc.push_back(sample.auroc);
  }
  metrics.ece_floor = value.ece_floor;
  metrics.ece = interval_of(value.ece, std::move(ece), 0, 1);
  metrics.brier = interval_of(value.brier, std::move(brier), 0, 1);
  metrics.log_loss = interval_of(value.log_loss, std::move(log_loss), 0, HUGE_VAL);
  metrics.auroc = interval_of(value.auroc, std::move(auroc), 0, 1);
  metrics.auroc.is_defined = value.has_auroc;
  return metrics;
}

std::vector<ReliabilityBin> reliability(std::span<const Scored> rows, std::size_t bins) {
  HF_ASSERT(bins > 0);
  const std::vector<SortedRow> sorted = sorted_by_prediction(rows).rows;
  const auto total = static_cast<double>(sorted.size());
  std::vector<ReliabilityBin> all(bins);
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end < sorted.size() && sorted[end].predicted == sorted[i].predicted) ++end;
    const auto weight = static_cast<double>(end - i);
    ReliabilityBin& bin = all[bin_of(static_cast<double>(i), weight, total, bins)];
    for (; i < end; ++i) {
      bin.predicted += sorted[i].predicted;
      bin.observed += sorted[i].target;
      ++bin.rows;
    }
  }
  std::erase_if(all, [](const ReliabilityBin& bin) { return bin.rows == 0; });
  for (ReliabilityBin& bin : all) {
    const auto n = static_cast<double>(bin.rows);
    bin.predicted /= n;
    bin.observed /= n;
    bin.error = std::sqrt(bin.observed * (1 - bin.observed) / n);
  }
  return all;
}

}  // namespace hf::learn
