#include "eval/resamples.h"

#include <algorithm>
#include <limits>

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

double quotient(double above, double below) {
  return below == 0 ? 0 : above / below;
}

}  // namespace

Resamples::Resamples(std::size_t queries, std::size_t count, std::uint64_t seed)
    : queries_(queries), times_(queries * count, 0) {
  HF_ASSERT(queries > 0 && count > 0);
  Rng rng(seed);
  for (std::size_t first = 0; first < times_.size(); first += queries) {
    for (std::size_t draw = 0; draw < queries; ++draw) {
      std::uint8_t& times = times_[first + rng.below(queries)];
      if (times < std::numeric_limits<std::uint8_t>::max()) ++times;
    }
  }
}

BootstrapInterval Resamples::ratio(std::span<const double> above,
                                   std::span<const double> below) const {
  HF_ASSERT(above.size() == queries_ && below.size() == queries_);
  BootstrapInterval interval;
  double whole_above = 0;
  double whole_below = 0;
  for (std::size_t i = 0; i < queries_; ++i) {
    whole_above += above[i];
    whole_below += below[i];
  }
  interval.value = quotient(whole_above, whole_below);
  std::vector<double> figures;
  figures.reserve(times_.size() / queries_);
  for (std::size_t first = 0; first < times_.size(); first += queries_) {
    double sum_above = 0;
    double sum_below = 0;
    for (std::size_t i = 0; i < queries_; ++i) {
      const double times = times_[first + i];
      sum_above += times * above[i];
      sum_below += times * below[i];
    }
    figures.push_back(quotient(sum_above, sum_below));
  }
  std::ranges::sort(figures);
  interval.low = percentile(figures, kTail);
  interval.high = percentile(figures, 1 - kTail);
  return interval;
}

}  // namespace hf::eval
