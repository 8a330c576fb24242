// Goal: intervals are as wide as theory says, pairing makes them narrower, the same seed gives the
// same interval.
// Method: normal theory on large samples, closed cases.
#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"

namespace hf::eval {
namespace {

std::vector<double> uniform(std::uint64_t seed, std::size_t count) {
  Rng rng(seed);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(rng.unit());
  return values;
}

TEST(Bootstrap, OfAMeanIsAsWideAsTheNormalInterval) {
  const auto values = uniform(1, 4000);
  const BootstrapInterval interval = bootstrap_mean(values);
  const double half = 1.96 * std::sqrt(1.0 / 12 / 4000);
  EXPECT_NEAR(interval.value, 0.5, 0.015);
  EXPECT_NEAR(interval.high - interval.low, 2 * half, 0.1 * half);
  EXPECT_NEAR((interval.high + interval.low) / 2, interval.value, 0.1 * half);
}

TEST(Bootstrap, CoversTheTruthAboutNineteenTimesOfTwenty) {
  int covered = 0;
  constexpr int kTimes = 400;
  for (int i = 0; i < kTimes; ++i) {
    const auto values = uniform(static_cast<std::uint64_t>(i), 100);
    const auto interval = bootstrap_mean(values, {.seed = 9, .resamples = 400});
    if (interval.low <= 0.5 && 0.5 <= interval.high) ++covered;
  }
  EXPECT_GE(covered, kTimes * 90 / 100);
  EXPECT_LE(covered, kTimes * 99 / 100);
}

TEST(Bootstrap, OfADifferenceIsPaired) {
  const auto a = uniform(1, 500);
  auto b = a;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] -= 0.25;
  const BootstrapInterval interval = bootstrap_difference(a, b);
  EXPECT_NEAR(interval.value, 0.25, 1e-12);
  EXPECT_NEAR(interval.low, 0.25, 1e-12);
  EXPECT_NEAR(interval.high, 0.25, 1e-12);
}

TEST(Bootstrap, OfARatioDividesTheSums) {
  const auto below = uniform(2, 500);
  auto above = below;
  for (double& x : above) x *= 3;
  const BootstrapInterval fixed = bootstrap_ratio(above, below);
  EXPECT_NEAR(fixed.low, 3, 1e-9);
  EXPECT_NEAR(fixed.high, 3, 1e-9);
  const std::vector<double> ones{1, 1};
  const std::vector<double> nothing{0, 0};
  EXPECT_EQ(bootstrap_ratio(ones, nothing).high, 0);
}

TEST(Bootstrap, IsTheSameForTheSameSeed) {
  const auto values = uniform(3, 50);
  const auto a = bootstrap_mean(values, {.seed = 4, .resamples = 100});
  const auto b = bootstrap_mean(values, {.seed = 4, .resamples = 100});
  const auto c = bootstrap_mean(values, {.seed = 5, .resamples = 100});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Bootstrap, OfOneQueryIsAPoint) {
  const auto interval = bootstrap_mean(std::vector<double>{2.5});
  EXPECT_EQ(interval.low, 2.5);
  EXPECT_EQ(interval.high, 2.5);
}

}  // namespace
}  // namespace hf::eval
