// Guards against retry storms: retries and hedges at one place are at most a fifth of all calls,
// plus three.
// Unused allowance is kept up to a bound, so that a long quiet time does not pay for a storm.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hf {

class RetryBudget {
 public:
  // A call that is not a retry was started.
  void earn() { fifths_ = std::min(fifths_ + 1, kFifthsMax); }

  [[nodiscard]] bool has_any() const { return fifths_ >= kRetry; }

  // Takes one retry. REQUIRES: has_any().
  void take() { fifths_ -= kRetry; }

 private:
  static constexpr std::uint32_t kRetry = 5;
  static constexpr std::uint32_t kFifthsMax = 20 * kRetry;

  std::uint32_t fifths_ = 3 * kRetry;
};

}  // namespace hf
