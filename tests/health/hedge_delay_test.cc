// Goal: a second call goes out only when the first is later than almost all were.
// Method: known histories, and a property against sorting.
#include "health/hedge_delay.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace hf {
namespace {

using std::chrono::milliseconds;

TEST(HedgeDelay, KnowsNothingBeforeItHasSeenEnough) {
  HedgeDelay delay;
  for (int i = 0; i < 7; ++i) delay.saw(milliseconds(100), milliseconds(100));
  EXPECT_FALSE(delay.after(milliseconds(100)));
  delay.saw(milliseconds(100), milliseconds(100));
  EXPECT_EQ(delay.after(milliseconds(100)), Duration(milliseconds(100)));
  EXPECT_FALSE(delay.after(Duration(0)));
}

TEST(HedgeDelay, ScalesWithWhatIsPredicted) {
  HedgeDelay delay;
  for (int i = 0; i < 8; ++i) delay.saw(milliseconds(100), milliseconds(200));
  EXPECT_EQ(delay.after(milliseconds(300)), Duration(milliseconds(600)));
}

TEST(HedgeDelay, LeavesOutTheLatestTwentieth) {
  HedgeDelay delay;
  for (int i = 0; i < 64; ++i) delay.saw(milliseconds(100), milliseconds(i % 32 == 0 ? 9000 : 100));
  EXPECT_EQ(delay.after(milliseconds(100)), Duration(milliseconds(100)));
}

TEST(HedgeDelay, ForgetsWhatIsLongAgo) {
  HedgeDelay delay;
  for (int i = 0; i < 64; ++i) delay.saw(milliseconds(100), milliseconds(900));
  for (int i = 0; i < 64; ++i) delay.saw(milliseconds(100), milliseconds(100));
  EXPECT_EQ(delay.after(milliseconds(100)), Duration(milliseconds(100)));
}

TEST(HedgeDelay, SurvivesWhatCannotBe) {
  HedgeDelay delay;
  delay.saw(Duration(0), milliseconds(1));
  delay.saw(Duration(-5), milliseconds(1));
  for (int i = 0; i < 8; ++i) delay.saw(Duration(1), Duration::max());
  EXPECT_GT(*delay.after(Duration::max()), Duration(0));
}

RC_GTEST_PROP(HedgeDelay, IsTheNineteenthTwentiethOfTheLastCalls, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 20);
  HedgeDelay delay;
  std::vector<std::int64_t> seen;
  for (std::size_t i = 0; i < count * 8; ++i) {
    const auto late = *rc::gen::inRange<std::int64_t>(0, 5000);
    seen.push_back(late);
    delay.saw(Duration(1024), Duration(late));
  }
  if (seen.size() > 64) seen.erase(seen.begin(), seen.end() - 64);
  std::ranges::sort(seen);
  const std::size_t rank = (seen.size() * 19 + 19) / 20 - 1;
  RC_ASSERT(delay.after(Duration(1024)) == Duration(seen[rank]));
}

}  // namespace
}  // namespace hf
