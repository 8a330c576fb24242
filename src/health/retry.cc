#include "health/retry.h"

#include <algorithm>

#include "base/rng.h"

namespace hf {

Duration backoff(const RetryPolicy& policy, std::uint32_t failures, std::uint64_t seed) {
  const Duration cap = std::max(policy.cap, Duration(0));
  Duration bound = std::clamp(policy.base, Duration(0), cap);
  for (std::uint32_t i = 1; i < failures && bound < cap; ++i) {
    bound = bound > cap / 2 ? cap : bound * 2;
  }
  if (bound == Duration(0)) return bound;
  return Duration(
      1 + static_cast<std::int64_t>(Rng(seed).below(static_cast<std::uint64_t>(bound.count()))));
}

}  // namespace hf
