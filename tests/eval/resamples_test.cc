// Goal: intervals are as wide as theory says, pairing makes them narrower, the same seed gives the
// same interval.
// Method: normal theory on large samples, closed cases.
#include "eval/resamples.h"

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

BootstrapInterval mean_of(const std::vector<double>& values, std::size_t count = 2000,
                          std::uint64_t seed = 1) {
  const std::vector<double> ones(values.size(), 1);
  return Resamples(values.size(), count, seed).ratio(values, ones);
}

TEST(Resamples, OfAMeanIsAsWideAsTheNormalInterval) {
  const auto values = uniform(1, 4000);
  const BootstrapInterval interval = mean_of(values);
  const double half = 1.96 * std::sqrt(1.0 / 12 / 4000);
  EXPECT_NEAR(interval.value, 0.5, 0.015);
  EXPECT_NEAR(interval.high - interval.low, 2 * half, 0.1 * half);
  EXPECT_NEAR((interval.high + interval.low) / 2, interval.value, 0.1 * half);
}

TEST(Resamples, CoversTheTruthAboutNineteenTimesOfTwenty) {
  int covered = 0;
  constexpr int kTimes = 400;
  for (int i = 0; i < kTimes; ++i) {
    const auto values = uniform(static_cast<std::uint64_t>(i), 100);
    const auto interval = mean_of(values, 400, 9);
    if (interval.low <= 0.5 && 0.5 <= interval.high) ++covered;
  }
  EXPECT_GE(covered, kTimes * 90 / 100);
  EXPECT_LE(covered, kTimes * 99 / 100);
}

TEST(Resamples, AreTheSameForEverythingThatIsCompared) {
  const auto a = uniform(1, 500);
  auto b = a;
  for (double& x : b) x -= 0.25;
  const std::vector<double> ones(a.size(), 1);
  const Resamples resamples(a.size(), 500, 1);
  const BootstrapInterval of_a = resamples.ratio(a, ones);
  const BootstrapInterval of_b = resamples.ratio(b, ones);
  EXPECT_NEAR(of_a.low - of_b.low, 0.25, 1e-9);
  EXPECT_NEAR(of_a.high - of_b.high, 0.25, 1e-9);
}

TEST(Resamples, OfARatioDividesTheSums) {
  const auto below = uniform(2, 500);
  auto above = below;
  for (double& x : above) x *= 3;
  const BootstrapInterval fixed = Resamples(below.size(), 500, 1).ratio(above, below);
  EXPECT_NEAR(fixed.low, 3, 1e-9);
  EXPECT_NEAR(fixed.high, 3, 1e-9);
  const std::vector<double> ones{1, 1};
  const std::vector<double> nothing{0, 0};
  EXPECT_EQ(Resamples(2, 10, 1).ratio(ones, nothing).high, 0);
}

TEST(Resamples, IsTheSameForTheSameSeed) {
  const auto values = uniform(3, 50);
  const auto a = mean_of(values, 100, 4);
  const auto b = mean_of(values, 100, 4);
  const auto c = mean_of(values, 100, 5);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Resamples, OfOneQueryIsAPoint) {
  const auto interval = mean_of({2.5});
  EXPECT_EQ(interval.low, 2.5);
  EXPECT_EQ(interval.high, 2.5);
}

}  // namespace
}  // namespace hf::eval
