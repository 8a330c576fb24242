// Goal: the running corrections are discounted ridge regression and shrunk means, for ever.
// Method: against the batch solution; a million updates of good and of absurd rows; saved states.
#include "learn/online.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

std::vector<double> random_inputs(Rng& rng, std::size_t n) {
  std::vector<double> inputs{1};
  while (inputs.size() < n) inputs.push_back(rng.unit() * 2 - 1);
  return inputs;
}

TEST(OnlineHead, WeightsAreThoseOfBatchRidgeWithTheSameDiscounts) {
  constexpr std::size_t kInputs = 4;
  constexpr int kRows = 400;
  Rng rng(1);
  OnlineHead head(kInputs);
  std::vector<double> squares(triangle(kInputs, 0));
  std::vector<double> b(kInputs);
  for (std::size_t i = 0; i < kInputs; ++i) squares[triangle(i, i)] = OnlineHead::kPriorRows;
  for (int row = 0; row < kRows; ++row) {
    const std::vector<double> x = random_inputs(rng, kInputs);
    const double residual = 0.2 * x[1] - 0.1 * x[2] + 0.3 * (rng.unit() - 0.5);
    head.learn(x, 7, residual);
    for (double& each : squares) each *= OnlineHead::kForgetting;
    for (double& each : b) each *= OnlineHead::kForgetting;
    for (std::size_t i = 0; i < kInputs; ++i) {
      b[i] += x[i] * residual;
      for (std::size_t j = 0; j <= i; ++j) squares[triangle(i, j)] += x[i] * x[j];
    }
  }
  const auto factor = cholesky(squares, kInputs);
  ASSERT_TRUE(factor.has_value());
  solve(*factor, b);
  for (std::size_t i = 0; i < kInputs; ++i) EXPECT_NEAR(head.state().weights[i], b[i], 1e-10);

  // The covariance is the inverse of the discounted squares: column 0 solves for the first unit.
  std::vector<double> unit(kInputs);
  unit[0] = 1;
  solve(*factor, unit);
  for (std::size_t i = 0; i < kInputs; ++i) {
    EXPECT_NEAR(head.state().covariance[triangle(i, 0)], unit[i], 1e-10);
  }
}

TEST(OnlineHead, ForgetsAWorldThatHasChanged) {
  Rng rng(2);
  OnlineHead head(2);
  for (int i = 0; i < 3000; ++i) head.learn(random_inputs(rng, 2), 1, 0.3);
  const std::vector<double> at{1, 0};
  EXPECT_NEAR(head.correction(at, 1), 0.3, 0.02);
  for (int i = 0; i < 3000; ++i) head.learn(random_inputs(rng, 2), 1, -0.2);
  EXPECT_NEAR(head.correction(at, 1), -0.2, 0.02);
}

TEST(OnlineHead, CategoriesAreShrunkTowardsNothing) {
  OnlineHead head(1);
  const std::vector<double> off{0};  // So that only the category learns.
  for (int i = 0; i < 8; ++i) head.learn(off, 42, 0.5);
  EXPECT_NEAR(head.correction(off, 42), 0.25, 1e-12);  // Eight rows against eight.
  EXPECT_EQ(head.correction(off, 43), 0);
  for (int i = 0; i < 2000; ++i) head.learn(off, 42, 0.5);
  EXPECT_NEAR(head.correction(off, 42), 0.5, 0.02);
}

TEST(OnlineHead, ManyCategoriesStayWithinTheTableAndKeepTheBusiest) {
  OnlineHead head(1);
  const std::vector<double> off{0};
  for (int i = 0; i < 100; ++i) head.learn(off, 5, 0.5);
  for (std::uint32_t category = 1000; category < 20'000; ++category) head.learn(off, category, -1);
  EXPECT_GT(head.correction(off, 5), 0.4);
}

TEST(OnlineHead, AMillionUpdatesLeaveItSound) {
  Rng rng(3);
  OnlineHead head(6);
  for (int i = 0; i < 1'000'000; ++i) {
    std::vector<double> x = random_inputs(rng, 6);
    x[3] = x[2];             // Two inputs that are one,
    x[4] = 1e-9;             // one that hardly ever speaks,
    if (i > 1000) x[5] = 0;  // and one that fell silent.
    head.learn(x, static_cast<std::uint32_t>(rng.below(50)), 0.1 * x[1] + 0.05);
  }
  ASSERT_TRUE(OnlineHead::restore(head.state()).has_value());
  double trace = 0;
  for (std::size_t i = 0; i < 6; ++i) trace += head.state().covariance[triangle(i, i)];
  EXPECT_LE(trace, 4 * 6 / OnlineHead::kPriorRows + 1e-9);
  EXPECT_EQ(head.state().updates, 1'000'000U);
  EXPECT_NEAR(head.correction(std::vector<double>{1, 1, 0, 0, 0, 0}, 1), 0.15, 0.01);
}

TEST(OnlineHead, AbsurdRowsDoNoHarm) {
  OnlineHead head(2);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const OnlineState before = head.state();
  head.learn(std::vector<double>{1, std::nan("")}, 1, 0.5);
  head.learn(std::vector<double>{1, kInfinity}, 1, 0.5);
  head.learn(std::vector<double>{1, 1}, 1, std::nan(""));
  EXPECT_EQ(head.state(), before);
  for (int i = 0; i < 10'000; ++i) {
    head.learn(std::vector<double>{1e300, i % 2 == 0 ? 1e300 : -1e-300}, 1, 1e300);
    const double correction = head.correction(std::vector<double>{1, kInfinity}, 1);
    ASSERT_TRUE(correction >= -1 && correction <= 1);
  }
  EXPECT_TRUE(OnlineHead::restore(head.state()).has_value());
}

TEST(OnlineHead, GoesOnFromASavedStateAsIfNothingHadHappened) {
  Rng rng(4);
  OnlineHead head(3);
  for (int i = 0; i < 100; ++i) head.learn(random_inputs(rng, 3), 9, rng.unit() - 0.5);
  auto restored = OnlineHead::restore(head.state());
  ASSERT_TRUE(restored.has_value());
  const std::vector<double> x{1, 0.5, -0.5};
  head.learn(x, 9, 0.2);
  restored->learn(x, 9, 0.2);
  EXPECT_EQ(restored->state(), head.state());
}

TEST(OnlineHead, RefusesStatesItCannotHaveHad) {
  const OnlineState good = OnlineHead(3).state();
  std::vector<OnlineState> bad(7, good);
  bad[0].inputs = 0;
  bad[1].inputs = 17;
  bad[2].weights[1] = std::nan("");
  bad[3].covariance[triangle(1, 1)] = -1;
  bad[4].covariance[triangle(1, 0)] = std::numeric_limits<double>::infinity();
  bad[5].categories[3].rows = -1;
  bad[6].categories[3].mean = std::nan("");
  for (const OnlineState& state : bad) {
    const auto restored = OnlineHead::restore(state);
    ASSERT_FALSE(restored.has_value());
    EXPECT_EQ(restored.error().code, Code::kInvalidInput);
  }
}

}  // namespace
}  // namespace hf::learn
