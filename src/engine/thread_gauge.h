// How many threads pay off right now. Computing threads wait for each other by spinning, so when
// other programs take the cores, two threads can be ten times slower than one. The sign is that a
// step got much less processor time than its threads could have had; then fewer are used for a
// while, and all are tried again. Thread safety: none; reads no clock.
#pragma once

#include <cstddef>

#include "base/units.h"

namespace hf::engine {

class ThreadGauge {
 public:
  // Threads to use for the next step out of those that are leased. REQUIRES: leased > 0.
  [[nodiscard]] std::size_t threads(std::size_t leased) const;

  // A step with `threads` took `wall` and used `processor` time, all threads together.
  void record(std::size_t threads, Duration wall, Duration processor);

 private:
  static constexpr std::size_t kStrikes = 3;         // Bad steps in a row before giving way.
  static constexpr std::size_t kPauseFirst = 32;     // Steps with fewer threads, doubled each time
  static constexpr std::size_t kPauseLongest = 512;  // that trying all again went badly.

  std::size_t limit_ = 0;  // 0: none.
  std::size_t strikes_ = 0;
  std::size_t pause_ = kPauseFirst;
  std::size_t left_ = 0;  // Steps until the limit goes.
  std::size_t good_ = 0;  // Steps without a limit and without a strike.
};

}  // namespace hf::engine
