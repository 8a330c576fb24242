// Keeps calls away from an endpoint that fails one after the other, and finds out when it is back.
//
// Closed: calls go. Open: none until the cool-down is over. Then one call goes as a probe, and its
// outcome closes the breaker or opens it again. Time is an argument. Thread safety: none.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/units.h"
#include "model/failure.h"

namespace hf {

struct BreakerPolicy {
  std::uint32_t failures_max = 5;  // In a row.
  Duration cool_down = std::chrono::seconds(10);
};

class Breaker {
 public:
  explicit Breaker(BreakerPolicy policy) : policy_(policy) {}

  // Whether a call may start now.
  [[nodiscard]] bool allows(TimePoint now) const {
    return !is_open_ || (!is_probing_ && now >= until_);
  }
  [[nodiscard]] bool is_open() const { return is_open_; }
  // A probe is out: the verdict is near.
  [[nodiscard]] bool is_probing() const { return is_probing_; }

  // A call started. REQUIRES: allows(now).
  void started() { is_probing_ = is_open_; }
  // A call was answered. Closes the breaker, whichever call it was.
  void succeeded();
  // A call failed. What that says about the endpoint is the table's word (failure_rule.h).
  void failed(TimePoint now, Failure failure);
  // A call was given up by us: no verdict, so that another probe may go.
  void abandoned() { is_probing_ = false; }

 private:
  BreakerPolicy policy_;
  std::uint32_t failures_ = 0;
  bool is_open_ = false;
  bool is_probing_ = false;
  TimePoint until_{};
};

}  // namespace hf
