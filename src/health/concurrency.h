// How many calls an endpoint takes at once, learned from its complaints: additive increase,
// multiplicative decrease (AIMD, as in TCP congestion avoidance, RFC 5681). It starts at what the
// configuration allows and never exceeds it. Time is an argument. Thread safety: none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace hf {

class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(std::uint32_t most) : most_(std::max(1U, most)), limit_(most_) {}

  [[nodiscard]] std::uint32_t limit() const { return limit_; }

  // A call was answered while `in_flight` of them ran, itself included. The limit grows by one
  // after as many answers as it is high, and only if it is used.
  void succeeded(std::uint32_t in_flight) {
    if (limit_ == most_ || in_flight < limit_) return;
    if (++answers_ < limit_) return;
    answers_ = 0;
    ++limit_;
  }

  // The endpoint complained of load about a call that started at `started`. Calls that were out
  // already when it was last lowered complain of the same jam and do not lower it again.
  void overloaded(TimePoint now, TimePoint started) {
    if (started < lowered_ || limit_ == 1) return;
    limit_ = std::max(1U, limit_ * 7 / 10);
    answers_ = 0;
    lowered_ = now;
  }

 private:
  std::uint32_t most_;
  std::uint32_t limit_;
  std::uint32_t answers_ = 0;  // Since the last change.
  TimePoint lowered_ = TimePoint::min();
};

}  // namespace hf
