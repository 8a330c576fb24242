#include "engine/thread_gauge.h"

#include <algorithm>

namespace hf::engine {

std::size_t ThreadGauge::threads(std::size_t leased) const {
  return limit_ == 0 ? leased : std::min(limit_, leased);
}

void ThreadGauge::record(std::size_t threads, Duration wall, Duration processor) {
  if (limit_ != 0) {
    if (--left_ == 0) limit_ = 0;
    return;
  }
  if (threads < 2) return;
  // Less than 70 % of what the threads could have had: somebody else has the cores.
  const bool is_bad = processor * 10 < wall * static_cast<std::int64_t>(threads) * 7;
  strikes_ = is_bad ? strikes_ + 1 : 0;
  good_ = is_bad ? 0 : good_ + 1;
  if (good_ >= kPauseFirst) pause_ = kPauseFirst;
  if (strikes_ < kStrikes) return;
  strikes_ = 0;
  limit_ = std::max<std::size_t>(threads / 2, 1);
  left_ = pause_;
  pause_ = std::min(2 * pause_, kPauseLongest);
}

}  // namespace hf::engine
