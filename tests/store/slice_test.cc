// Goal: slices follow the spending, leave room for others and shrink to one call at the end.
// Method: chosen points, and a property over all amounts.
#include "store/slice.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "scratch.h"

namespace hf::store {
namespace {

TEST(Slice, IsAFewCallsAtFirst) {
  EXPECT_EQ(slice({.least = of(10, 5), .recent = {}, .left = of(100'000, 100'000)}), of(40, 20));
}

TEST(Slice, IsTwiceTheRecentSpending) {
  EXPECT_EQ(slice({.least = of(10, 5), .recent = of(300, 7), .left = of(100'000, 100'000)}),
            of(600, 20));
}

TEST(Slice, IsAnEighthOfWhatIsLeftAtMost) {
  EXPECT_EQ(slice({.least = of(10), .recent = of(300), .left = of(800)}), of(100));
}

TEST(Slice, ShrinksToTheCallThatWaits) {
  EXPECT_EQ(slice({.least = of(10), .recent = of(300), .left = of(79)}), of(10));
  EXPECT_EQ(slice({.least = of(10), .recent = of(300), .left = of(3)}), of(10));
  EXPECT_EQ(slice({.least = of(0), .recent = of(0), .left = of(1000)}), of(0));
}

RC_GTEST_PROP(Slice, IsNeverLessThanTheCallNorMoreThanTheShareWhateverTheNumbers, ()) {
  const auto amount = [] {
    return *rc::gen::inRange<std::int64_t>(0, std::numeric_limits<std::int64_t>::max()) >>
           *rc::gen::inRange(0, 63);
  };
  const SliceInput input{of(amount(), 1), of(amount(), 1), of(amount(), 1)};
  const Amounts wanted = slice(input);
  RC_ASSERT(wanted.usd >= input.least.usd);
  RC_ASSERT(wanted.usd.count() <= std::max(input.least.usd.count(), input.left.usd.count() / 8));
}

}  // namespace
}  // namespace hf::store
