// Goal: an endpoint that complains of load gets fewer calls at once, and more again when it copes.
// Method: by hand, and as a property over random histories.
#include "health/concurrency.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace hf {
namespace {

using std::chrono::seconds;

TimePoint second(int second) {
  return TimePoint(seconds(second));
}

TEST(ConcurrencyLimit, StartsAtWhatIsAllowed) {
  EXPECT_EQ(ConcurrencyLimit(8).limit(), 8U);
  EXPECT_EQ(ConcurrencyLimit(0).limit(), 1U);
}

TEST(ConcurrencyLimit, FallsByAThirdOncePerJam) {
  ConcurrencyLimit limit(10);
  limit.overloaded(second(5), second(1));
  EXPECT_EQ(limit.limit(), 7U);
  limit.overloaded(second(6), second(4));  // Was out when the limit fell: the same jam.
  EXPECT_EQ(limit.limit(), 7U);
  limit.overloaded(second(8), second(5));
  EXPECT_EQ(limit.limit(), 4U);
}

TEST(ConcurrencyLimit, NeverFallsBelowOne) {
  ConcurrencyLimit limit(2);
  for (int i = 0; i < 10; ++i) limit.overloaded(second(i + 1), second(i));
  EXPECT_EQ(limit.limit(), 1U);
}

TEST(ConcurrencyLimit, GrowsByOneAfterAsManyAnswersAtTheLimit) {
  ConcurrencyLimit limit(4);
  limit.overloaded(second(1), second(0));
  ASSERT_EQ(limit.limit(), 2U);
  limit.succeeded(1);  // Not used to the full: says nothing.
  limit.succeeded(2);
  EXPECT_EQ(limit.limit(), 2U);
  limit.succeeded(2);
  EXPECT_EQ(limit.limit(), 3U);
  for (int i = 0; i < 100; ++i) limit.succeeded(4);
  EXPECT_EQ(limit.limit(), 4U);
}

RC_GTEST_PROP(ConcurrencyLimit, StaysBetweenOneAndWhatIsAllowed, ()) {
  const auto most = *rc::gen::inRange<std::uint32_t>(1, 50);
  ConcurrencyLimit limit(most);
  int now = 0;
  for (const bool is_good : *rc::gen::container<std::vector<bool>>(rc::gen::arbitrary<bool>())) {
    ++now;
    const std::uint32_t before = limit.limit();
    if (is_good) {
      limit.succeeded(limit.limit());
      RC_ASSERT(limit.limit() >= before && limit.limit() <= before + 1);
    } else {
      limit.overloaded(second(now), second(now - 1));
      RC_ASSERT(limit.limit() <= before);
    }
    RC_ASSERT(limit.limit() >= 1 && limit.limit() <= most);
  }
}

}  // namespace
}  // namespace hf
