// Goal: our own logarithm, exponential and distributions are what they are called, to the bit.
// Method: the library's functions within rounding, quantiles of many draws, and pinned values.
#include "sim/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/histogram.h"

namespace hf::sim {
namespace {

TEST(Draw, LogarithmAndExponentialAreRightToTheLastDigits) {
  for (double x = 1e-12; x < 1e15; x *= 1.37) {
    EXPECT_NEAR(natural_log(x), std::log(x), 1e-13 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  for (double x = -690; x < 690; x += 0.73) {
    EXPECT_NEAR(exponential(x) / std::exp(x), 1, 1e-12) << x;
  }
}

std::vector<std::int64_t> sorted(const Draw& draw, int count = 20'000) {
  Rng rng(5);
  std::vector<std::int64_t> values;
  for (int i = 0; i < count; ++i) values.push_back(draw.count(rng));
  std::ranges::sort(values);
  return values;
}

TEST(Draw, FollowsItsDistribution) {
  EXPECT_EQ(sorted(Draw()).back(), 0);
  EXPECT_EQ(sorted(Draw::constant(7)).front(), 7);

  const auto uniform = sorted(Draw::uniform(1000, 3000));
  EXPECT_GE(uniform.front(), 1000);
  EXPECT_LE(uniform.back(), 3000);
  EXPECT_NEAR(static_cast<double>(uniform[10'000]), 2000, 40);

  const auto exponential = sorted(Draw::exponential(1000));
  EXPECT_NEAR(static_cast<double>(exponential[10'000]), 693, 25);
  EXPECT_NEAR(static_cast<double>(exponential[19'000]), 2996, 120);

  const auto lognormal = sorted(Draw::lognormal(1000, 5000));
  EXPECT_NEAR(static_cast<double>(lognormal[10'000]), 1000, 40);
  EXPECT_NEAR(static_cast<double>(lognormal[19'000]), 5000, 250);
}

TEST(Draw, GivesTheSameValuesEverywhere) {
  Rng rng(1);
  EXPECT_EQ(Draw::lognormal(1e9, 4e9).count(rng), 1'436'120'499);
  EXPECT_EQ(Draw::exponential(1e9).count(rng), 3'540'554'405);
  EXPECT_EQ(Draw::uniform(0, 1e9).count(rng), 444'359'217);
}

TEST(Histogram, KnowsItsQuantilesToOnePartIn64) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), Duration(0));
  for (std::int64_t i = 1; i <= 100'000; ++i) histogram.add(Duration(i * 1000));
  for (const double share : {0.01, 0.5, 0.95, 0.99}) {
    const double exact = share * 1e8;
    EXPECT_GE(static_cast<double>(histogram.quantile(share).count()), exact);
    EXPECT_LE(static_cast<double>(histogram.quantile(share).count()), exact * (1 + 1.0 / 60));
  }
  EXPECT_EQ(histogram.quantile(1), Duration(100'000'000));
  EXPECT_EQ(histogram.most(), Duration(100'000'000));
}

TEST(Histogram, TakesTheLongestDurationThereIs) {
  Histogram histogram;
  histogram.add(Duration::max());
  histogram.add(Duration(-5));
  EXPECT_EQ(histogram.quantile(1), Duration::max());
  EXPECT_EQ(histogram.quantile(0.5), Duration(0));
}

}  // namespace
}  // namespace hf::sim
