// The ways in which a world is unkind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hf::sim {

// What can go wrong. The first group ends a call, and at most one of them happens to it; each of
// the second may happen to any call; the third happens to endpoints, the clock,
// queries and the process itself.
enum class Fault : std::uint8_t {
  kRefused,
  kRejected,
  kRateLimited,      // 429 without Retry-After.
  kRateLimitedTold,  // 429 with it.
  kOverloaded,       // 503.
  kServer,
  kConnectTimeout,
  kSlow,   // The first token takes much longer.
  kStall,  // Nothing more comes after some tokens.
  kCut,
  kMalformed,
  kUsageMissing,
  kUsageWrong,
  kDuplicate,  // The end is told twice.
  kLate,       // A cancelled call ends all the same.
  kLateBill,   // What a cancelled call cost is told later.
  kCrash,
  kClockJump,
  kCancel,
  kProcessCrash,
};
inline constexpr std::size_t kEndingFaults = 11;
inline constexpr std::size_t kCallFaults = 16;
inline constexpr std::size_t kFaults = 20;

// As the keys of the file and the report have them: "rate_limited".
[[nodiscard]] std::string_view name_of(Fault fault);

using FaultChances = std::array<double, kCallFaults>;  // By Fault.
using FaultCounts = std::array<std::uint64_t, kFaults>;

}  // namespace hf::sim
