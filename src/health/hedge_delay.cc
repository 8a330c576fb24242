#include "health/hedge_delay.h"

#include <algorithm>

namespace hf {
namespace {

constexpr std::int64_t kUnit = 1024;
constexpr std::int64_t kMost = 1000 * kUnit;  // Keeps products far from overflow.
constexpr Duration kLongest = std::chrono::hours(24);

}  // namespace

void HedgeDelay::saw(Duration predicted, Duration actual) {
  if (predicted <= Duration(0)) return;
  const Duration believed = std::clamp(actual, Duration(0), kLongest);
  lateness_[seen_ % kWindow] = std::clamp(
      believed.count() * kUnit / std::min(predicted, kLongest).count(), std::int64_t{0}, kMost);
  ++seen_;
  if (seen_ < kFewest || seen_ % kFewest != 0) return;
  std::array<std::int64_t, kWindow> sorted = lateness_;
  const auto count = static_cast<std::ptrdiff_t>(std::min(seen_, kWindow));
  const auto at = sorted.begin() + (count * 19 + 19) / 20 - 1;
  std::nth_element(sorted.begin(), at, sorted.begin() + count);
  late_ = *at;
}

std::optional<Duration> HedgeDelay::after(Duration predicted) const {
  if (seen_ < kFewest || predicted <= Duration(0)) return std::nullopt;
  return Duration(std::min(predicted, kLongest).count() / kUnit * late_ +
                  std::min(predicted, kLongest).count() % kUnit * late_ / kUnit);
}

}  // namespace hf
