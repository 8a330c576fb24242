// Goal: breaker, retry budget and back-off keep their promises through any history.
// Method: random histories against models that look at the whole history again each time.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "health/breaker.h"
#include "health/retry.h"
#include "health/retry_budget.h"

namespace hf {
namespace {

using std::chrono::seconds;

TimePoint at(std::int64_t second) {
  return TimePoint(seconds(second));
}

// What one call to the endpoint came to, and when.
struct Verdict {
  enum class Kind { kAnswer, kFault, kRequestFault, kKeyFault, kGivenUp } kind;
  std::int64_t time;
};

// Whether the breaker is open after all that, and until when, read off the history from its start.
std::optional<std::int64_t> open_until(const std::vector<Verdict>& history, std::uint32_t most,
                                       std::int64_t cool_down) {
  std::optional<std::int64_t> until;
  std::uint32_t in_a_row = 0;
  for (const Verdict& each : history) {
    if (each.kind == Verdict::Kind::kAnswer) {
      until.reset();
      in_a_row = 0;
    }
    const bool opens_at_once = each.kind == Verdict::Kind::kKeyFault;
    if (!opens_at_once && each.kind != Verdict::Kind::kFault) continue;
    ++in_a_row;
    if (opens_at_once || until || in_a_row >= most) until = each.time + cool_down;
  }
  return until;
}

// One call at a time: while it is open, each call is the probe.
RC_GTEST_PROP(BreakerProperty, FollowsTheHistoryOfCallsMadeOneByOne, ()) {
  const auto most = *rc::gen::inRange<std::uint32_t>(1, 5);
  const auto cool_down = *rc::gen::inRange<std::int64_t>(1, 10);
  Breaker breaker({.failures_max = most, .cool_down = seconds(cool_down)});
  std::vector<Verdict> history;
  std::int64_t now = 0;
  const int length = *rc::gen::inRange(0, 60);
  for (int n = 0; n < length; ++n) {
    now += *rc::gen::inRange<std::int64_t>(0, 6);
    const auto until = open_until(history, most, cool_down);
    RC_ASSERT(breaker.is_open() == until.has_value());
    RC_ASSERT(breaker.allows(at(now)) == (!until || now >= *until));
    if (!breaker.allows(at(now))) continue;
    breaker.started();
    RC_ASSERT(breaker.is_probing() == until.has_value());
    RC_ASSERT(!until || !breaker.allows(at(now)));  // One probe at a time.
    const auto kind = static_cast<Verdict::Kind>(*rc::gen::inRange(0, 5));
    switch (kind) {
      case Verdict::Kind::kAnswer:
        breaker.succeeded();
        break;
      case Verdict::Kind::kFault:
        breaker.failed(at(now), Failure::kServer);
        break;
      case Verdict::Kind::kRequestFault:
        breaker.failed(at(now), Failure::kRejected);
        break;
      case Verdict::Kind::kKeyFault:
        breaker.failed(at(now), Failure::kUnauthorized);
        break;
      case Verdict::Kind::kGivenUp:
        breaker.abandoned();
        break;
    }
    history.push_back({kind, now});
  }
}

RC_GTEST_PROP(RetryBudgetProperty, AllowsAFifthOfTheCallsAndThreeNeverMore, ()) {
  RetryBudget budget;
  std::uint32_t calls = 0;
  std::uint32_t retries = 0;
  const int length = *rc::gen::inRange(0, 300);
  for (int n = 0; n < length; ++n) {
    if (*rc::gen::inRange(0, 3) != 0) {
      budget.earn();
      ++calls;
    } else if (budget.has_any()) {
      budget.take();
      ++retries;
    } else {
      // Refused only when one more would really be too many; below the bound nothing is lost.
      RC_ASSERT(5 * (retries + 1) > calls + 15);
    }
    RC_ASSERT(5 * retries <= calls + 15);
  }
}

RC_GTEST_PROP(BackoffProperty, IsNeverZeroNeverAboveItsBoundAndTheSameForTheSameSeed,
              (std::uint64_t seed)) {
  const auto base = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
  const auto cap = *rc::gen::inRange<std::int64_t>(1, 100'000'000);
  const auto failures = *rc::gen::inRange<std::uint32_t>(1, 80);
  const RetryPolicy policy{.attempts_max = 9, .base = Duration(base), .cap = Duration(cap)};
  double bound = static_cast<double>(base);
  for (std::uint32_t i = 1; i < failures; ++i) bound *= 2;
  const Duration wait = backoff(policy, failures, seed);
  RC_ASSERT(wait > Duration(0));
  RC_ASSERT(static_cast<double>(wait.count()) <= std::min(bound, static_cast<double>(cap)));
  RC_ASSERT(backoff(policy, failures, seed) == wait);
}

// Nothing but chance makes a wait short: among many, some come close to the bound.
TEST(Backoff, UsesTheWholeOfADoublingBound) {
  const RetryPolicy policy{.attempts_max = 9, .base = Duration(1000), .cap = Duration(6000)};
  const std::vector<std::int64_t> bounds = {1000, 2000, 4000, 6000, 6000};
  for (std::uint32_t failures = 1; failures <= bounds.size(); ++failures) {
    Duration longest{};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      longest = std::max(longest, backoff(policy, failures, seed));
    }
    EXPECT_LE(longest, Duration(bounds[failures - 1]));
    EXPECT_GT(longest, Duration(bounds[failures - 1] * 9 / 10));
  }
}

}  // namespace
}  // namespace hf
