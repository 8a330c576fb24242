// Why a call failed: the classes that are treated differently. What each leads to is the table in
// health/failure_rule.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hf {

enum class Failure : std::uint8_t {
  kNone,
  kRefused,            // Connection refused, DNS, TLS: nothing was sent.
  kRejected,           // 4xx other than those below: this request will never do.
  kUnauthorized,       // 401, 403: the key is wrong.
  kNotFound,           // 404: wrong address or model name.
  kRateLimited,        // 429: too many requests; how long to wait may be told.
  kOverloaded,         // 503, 529: too much load; likewise.
  kServer,             // Other 5xx.
  kConnectTimeout,     // No connection in time: nothing was sent.
  kFirstTokenTimeout,  // Connected, but no answer began.
  kGapTimeout,         // The answer stopped in the middle.
  kTotalTimeout,       // It went on for too long.
  kCut,                // The stream ended before it was finished.
  kMalformed,          // What came is not the protocol.
  kEngineLost,         // The local engine ended while it worked.
};

// Stable names, as receipts and logs show them: "rate-limited".
[[nodiscard]] constexpr std::string_view name_of(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "none";
    case Failure::kRefused:
      return "refused";
    case Failure::kRejected:
      return "rejected";
    case Failure::kUnauthorized:
      return "unauthorized";
    case Failure::kNotFound:
      return "not-found";
    case Failure::kRateLimited:
      return "rate-limited";
    case Failure::kOverloaded:
      return "overloaded";
    case Failure::kServer:
      return "server";
    case Failure::kConnectTimeout:
      return "connect-timeout";
    case Failure::kFirstTokenTimeout:
      return "first-token-timeout";
    case Failure::kGapTimeout:
      return "gap-timeout";
    case Failure::kTotalTimeout:
      return "total-timeout";
    case Failure::kCut:
      return "cut";
    case Failure::kMalformed:
      return "malformed";
    case Failure::kEngineLost:
      return "engine-lost";
  }
  return "none";
}

inline constexpr std::size_t kFailures = 15;

}  // namespace hf
