// The one table of what each failure of a call leads to.
//
// Going elsewhere needs no column: whatever failed here may do at another endpoint, and a job is
// given up when no endpoint is left for it.
#pragma once

#include <cstdint>

#include "model/failure.h"

namespace hf {

// What a failure says about the endpoint's health.
enum class Blame : std::uint8_t {
  kNone,   // Asked and answered: it is alive.
  kCount,  // One of several in a row that open its breaker.
  kOpen,   // Every call will fail: its breaker opens at once.
};

struct FailureRule {
  bool retry_here = false;  // The same call may do better here a little later; the wait is what the
                            // endpoint told, or a back-off with full jitter.
  Blame blame = Blame::kNone;
  bool is_load = false;  // It takes on too much: fewer calls at once.
};

[[nodiscard]] constexpr FailureRule rule_of(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return {.retry_here = true, .blame = Blame::kCount, .is_load = false};
    case Failure::kRejected:
      return {.retry_here = false, .blame = Blame::kNone, .is_load = false};
    case Failure::kUnauthorized:
    case Failure::kNotFound:
      return {.retry_here = false, .blame = Blame::kOpen, .is_load = false};
    case Failure::kRateLimited:
    case Failure::kOverloaded:
      return {.retry_here = true, .blame = Blame::kNone, .is_load = true};
    case Failure::kFirstTokenTimeout:
      return {.retry_here = true, .blame = Blame::kCount, .is_load = true};
    case Failure::kTotalTimeout:  // It would take as long again.
      return {.retry_here = false, .blame = Blame::kCount, .is_load = true};
    case Failure::kRefused:
    case Failure::kServer:
    case Failure::kConnectTimeout:
    case Failure::kGapTimeout:
    case Failure::kCut:
    case Failure::kMalformed:
    case Failure::kEngineLost:
      return {.retry_here = true, .blame = Blame::kCount, .is_load = false};
  }
  return {};
}

}  // namespace hf
