// Goal: quantiles are right to within a part in 8,192, whatever is recorded.
// Method: random values of all sizes against the exact quantile of the sorted list.
#include "load/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hf::load {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

RC_GTEST_PROP(Histogram, QuantilesAreOffByAtMostOnePartIn8192, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 500);
  std::vector<std::int64_t> values;
  Histogram histogram;
  for (std::size_t i = 0; i < size; ++i) {
    const auto bits = *rc::gen::inRange(1, 42);
    values.push_back(*rc::gen::inRange(std::int64_t{0}, std::int64_t{1} << bits));
    histogram.record(Duration(values.back()));
  }
  std::ranges::sort(values);
  RC_ASSERT(histogram.count() == size);
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double rank = std::ceil(share * static_cast<double>(size));
    const auto exact = values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
    const auto seen = histogram.quantile(share).count();
    RC_ASSERT(std::abs(seen - exact) * 8192 <= exact);
  }
}

TEST(Histogram, OfNothingSaysZero) {
  EXPECT_EQ(Histogram().quantile(0.99), Duration{});
}

TEST(Histogram, TakesTooSmallAndTooLargeValuesAsItsEnds) {
  Histogram histogram;
  histogram.record(Duration(-5));
  EXPECT_EQ(histogram.quantile(1), Duration{});
  histogram.record(hours(100));
  EXPECT_GT(histogram.quantile(1), hours(1));
  EXPECT_LT(histogram.quantile(1), hours(2));
}

TEST(Histogram, AddedToAnotherCountsBoth) {
  Histogram small;
  Histogram large;
  for (int i = 0; i < 10; ++i) small.record(microseconds(10));
  for (int i = 0; i < 5; ++i) large.record(microseconds(1000));
  small.add(large);
  EXPECT_EQ(small.count(), 15U);
  EXPECT_LT(small.quantile(0.66), microseconds(11));
  EXPECT_GT(small.quantile(0.67), microseconds(990));
}

}  // namespace
}  // namespace hf::load
