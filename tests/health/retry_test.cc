// Goal: waits between tries stay within their bounds, spread out, and repeat for a seed; retries
// stay a small share of calls.
// Method: properties over random policies, seeds and counts, and the bounds by hand.
#include "health/retry.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "health/retry_budget.h"

namespace hf {
namespace {

using std::chrono::milliseconds;

RC_GTEST_PROP(Backoff, StaysWithinTheDoublingBoundAndTheCap, ()) {
  const RetryPolicy policy{.attempts_max = 2,
                           .base = milliseconds(*rc::gen::inRange(0, 1000)),
                           .cap = milliseconds(*rc::gen::inRange(0, 5000))};
  const auto failures = *rc::gen::inRange<std::uint32_t>(1, 200);
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const Duration wait = backoff(policy, failures, seed);
  Duration bound = std::min(policy.base, policy.cap);
  for (std::uint32_t i = 1; i < failures && bound < policy.cap; ++i) {
    bound = std::min(bound * 2, policy.cap);
    if (bound == Duration(0)) break;
  }
  RC_ASSERT(wait <= bound);
  RC_ASSERT(wait >= Duration(0));
  RC_ASSERT(wait == backoff(policy, failures, seed));
}

TEST(Backoff, SpreadsCallsThatFailedTogether) {
  const RetryPolicy policy{.attempts_max = 2, .base = milliseconds(100), .cap = milliseconds(1000)};
  std::set<Duration> waits;
  for (std::uint64_t seed = 0; seed < 100; ++seed) waits.insert(backoff(policy, 1, seed));
  EXPECT_EQ(waits.size(), 100U);
  EXPECT_LT(*waits.begin(), milliseconds(10));
  EXPECT_GT(*waits.rbegin(), milliseconds(90));
}

TEST(Backoff, DoesNotOverflowWithTheLargestPolicy) {
  const RetryPolicy policy{.attempts_max = 2, .base = Duration::max(), .cap = Duration::max()};
  EXPECT_GE(backoff(policy, 4'000'000'000U, 1), Duration(0));
  EXPECT_GE(backoff({.attempts_max = 2, .base = Duration(1), .cap = Duration::max()}, 200, 1),
            Duration(0));
}

int taken_from(RetryBudget& budget) {
  int taken = 0;
  for (; budget.has_any(); ++taken) budget.take();
  return taken;
}

TEST(RetryBudget, AllowsThreeAtOnceAndThenOneInFiveCalls) {
  RetryBudget budget;
  EXPECT_EQ(taken_from(budget), 3);
  for (int i = 0; i < 4; ++i) budget.earn();
  EXPECT_FALSE(budget.has_any());
  budget.earn();
  EXPECT_EQ(taken_from(budget), 1);
}

TEST(RetryBudget, DoesNotSaveUpWithoutBound) {
  RetryBudget budget;
  for (int i = 0; i < 100'000; ++i) budget.earn();
  EXPECT_EQ(taken_from(budget), 20);
}

}  // namespace
}  // namespace hf
