// When to try again, and how long to wait before it. Pure functions; who counts is the scheduler.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/units.h"
#include "model/receipt.h"

namespace hf {

// Where a call may go when every endpoint of its tier has failed it.
enum class Fallback : std::uint8_t { kNone, kOtherTier };

struct RetryPolicy {
  std::uint32_t attempts_max = 2;                  // Per endpoint and job, the first included.
  Duration base = std::chrono::milliseconds(500);  // Bound of the first wait; doubles from there.
  Duration cap = std::chrono::seconds(8);          // Bound of any wait of our own choice.
  Duration told_max = std::chrono::seconds(60);    // A longer one that an endpoint asks for is not
                                                   // waited for.
};

// The wait before the next try after `failures` of them: uniform in (0, min(cap, base * 2^n)],
// "full jitter", so that calls that failed together do not come back together. The same seed waits
// the same time.
[[nodiscard]] Duration backoff(const RetryPolicy& policy, std::uint32_t failures,
                               std::uint64_t seed);

}  // namespace hf
