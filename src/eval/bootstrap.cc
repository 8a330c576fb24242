#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"

namespace hf::eval {
namespace {

constexpr double kTail = 0.025;

// Between the two values around the place, in proportion.
double percentile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double weighted_sum(std::span<const std::uint32_t> times, std::span<const double> values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += times[i] * values[i];
  return sum;
}

}  // namespace

BootstrapInterval bootstrap(
    std::size_t queries, const std::function<double(std::span<const std::uint32_t> times)>& figure,
    const BootstrapOptions& options) {
  HF_ASSERT(queries > 0 && options.resamples > 0);
  std::vector<std::uint32_t> times(queries, 1);
  BootstrapInterval interval{.value = figure(times)};
  Rng rng(options.seed);
  std::vector<double> figures;
  figures.reserve(options.resamples);
  for (std::size_t i = 0; i < options.resamples; ++i) {
    std::ranges::fill(times, 0U);
    for (std::size_t draw = 0; draw < queries; ++draw) ++times[rng.below(queries)];
    figures.push_back(figure(times));
  }
  std::ranges::sort(figures);
  interval.low = percentile(figures, kTail);
  interval.high = percentile(figures, 1 - kTail);
  return interval;
}

BootstrapInterval bootstrap_mean(std::span<const double> x, const BootstrapOptions& options) {
  const auto count = static_cast<double>(x.size());
  return bootstrap(x.size(), [&](auto times) { return weighted_sum(times, x) / count; }, options);
}

BootstrapInterval bootstrap_difference(std::span<const double> a, std::span<const double> b,
                                       const BootstrapOptions& options) {
  HF_ASSERT(a.size() == b.size());
  std::vector<double> differences(a.size());
  std::ranges::transform(a, b, differences.begin(), std::minus());
  return bootstrap_mean(differences, options);
}

BootstrapInterval bootstrap_ratio(std::span<const double> above, std::span<const double> below,
                                  const BootstrapOptions& options) {
  HF_ASSERT(above.size() == below.size());
  const auto ratio = [&](auto times) {
    const double sum = weighted_sum(times, below);
    return sum == 0 ? 0 : weighted_sum(times, above) / sum;
  };
  return bootstrap(above.size(), ratio, options);
}

}  // namespace hf::eval
