// When a call is so late that a second one elsewhere is worth its price: later than 19 of 20 recent
// calls to the same endpoint, each measured against what was predicted for it ("The Tail at Scale",
// Dean and Barroso, CACM 2013). Integers only. Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/units.h"

namespace hf {

class HedgeDelay {
 public:
  // A call that was predicted to take `predicted` took `actual`.
  void saw(Duration predicted, Duration actual);

  // How long to wait for a call that is predicted to take `predicted`; nothing while too few calls
  // are known.
  [[nodiscard]] std::optional<Duration> after(Duration predicted) const;

 private:
  static constexpr std::size_t kWindow = 64;
  static constexpr std::size_t kFewest = 8;

  std::array<std::int64_t, kWindow> lateness_{};  // actual / predicted, in 1024ths.
  std::size_t seen_ = 0;
  std::int64_t late_ = 0;  // The quantile, renewed every few calls.
};

}  // namespace hf
