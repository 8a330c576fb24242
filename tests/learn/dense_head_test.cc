// Goal: the fits are optima, their errors are the textbook's, and no input can upset a prediction.
// Method: closed forms in one dimension, zero gradients, simulated coverage, error paths.
#include "learn/dense_head.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

double normal(Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.unit();
  return sum;
}

DenseRows logistic_rows(std::size_t count, std::size_t size, std::uint64_t seed) {
  DenseRows rows{.size = size, .inputs = {}, .targets = {}};
  Rng rng(seed);
  for (std::size_t row = 0; row < count; ++row) {
    double logit = 0.3;
    for (std::size_t i = 0; i < size; ++i) {
      const double x = normal(rng) * 3 + 5;
      rows.inputs.push_back(static_cast<float>(x));
      logit += (i % 2 == 0 ? 0.3 : -0.2) * (x - 5);
    }
    rows.targets.push_back(rng.unit() < sigmoid(logit) ? 1 : 0);
  }
  return rows;
}

TEST(DenseHead, WithoutInputsItIsTheMeanAndItsStandardError) {
  const DenseRows rows{.size = 0, .inputs = {}, .targets = {1, 1, 1, 0}};
  const auto head = fit_logistic(rows, 1);
  ASSERT_TRUE(head.has_value());
  const Estimate estimate = head->predict({});
  EXPECT_NEAR(estimate.probability, 0.75, 1e-6);
  EXPECT_NEAR(estimate.logit, std::log(3.0), 1e-5);
  EXPECT_NEAR(estimate.error, std::sqrt(0.75 * 0.25 / 4), 1e-6);
}

// Inputs -1 and 1, a balanced design: the bias is 0 and w solves 4 (sigmoid(w) - 3/4) + w = 0 with
// a ridge of 1.
TEST(DenseHead, OneInputIsSolvedByHand) {
  const DenseRows rows{
      .size = 1, .inputs = {1, 1, -1, -1, 1, 1, -1, -1}, .targets = {1, 1, 0, 0, 1, 0, 1, 0}};
  const auto head = fit_logistic(rows, 1);
  ASSERT_TRUE(head.has_value());
  const double w = head->weights[1];
  EXPECT_NEAR(head->weights[0], 0, 1e-12);
  EXPECT_NEAR(8 * (sigmoid(w) - 0.75) + w, 0, 1e-9);
  const double p = sigmoid(w);
  const double information = 8 * p * (1 - p);
  const std::vector<float> one{1};
  EXPECT_NEAR(head->predict(one).error,
              p * (1 - p) * std::sqrt(1 / (information + 1e-6) + 1 / (information + 1)), 1e-6);
}

TEST(DenseHead, TheGradientIsZeroAtTheSolution) {
  const DenseRows rows = logistic_rows(500, 7, 1);
  const auto head = fit_logistic(rows, 2);
  ASSERT_TRUE(head.has_value());
  std::vector<double> gradient(8);
  std::vector<double> z(8);
  for (std::size_t i = 1; i < 8; ++i) gradient[i] = 2 * head->weights[i];
  for (std::size_t row = 0; row < 500; ++row) {
    head->standard.apply(rows.row(row), z);
    const double p = head->predict(rows.row(row)).probability;
    for (std::size_t i = 0; i < 8; ++i) gradient[i] += (p - rows.targets[row]) * z[i];
  }
  for (const double each : gradient) EXPECT_NEAR(each, 0, 1e-4);
}

// Fits to 200 draws of the data: the estimates scatter as much as each says it does.
TEST(DenseHead, TheStandardErrorIsTheScatterOfRepeatedFits) {
  const std::vector<float> at{6, 4, 5};
  double sum = 0;
  double square = 0;
  double claimed = 0;
  constexpr int kFits = 200;
  for (int i = 0; i < kFits; ++i) {
    const auto head = fit_logistic(logistic_rows(400, 3, static_cast<std::uint64_t>(i)), 1e-3);
    ASSERT_TRUE(head.has_value());
    const Estimate estimate = head->predict(at);
    sum += estimate.probability / kFits;
    square += estimate.probability * estimate.probability / kFits;
    claimed += estimate.error / kFits;
  }
  EXPECT_NEAR(std::sqrt(square - sum * sum) / claimed, 1, 0.15);
}

TEST(DenseHead, TheErrorGrowsAwayFromTheData) {
  const auto head = fit_logistic(logistic_rows(400, 2, 3), 1);
  ASSERT_TRUE(head.has_value());
  const auto logit_error = [&](std::vector<float> at) {
    const Estimate estimate = head->predict(at);
    return estimate.error / (estimate.probability * (1 - estimate.probability));
  };
  EXPECT_LT(logit_error({5, 5}), logit_error({8, 8}));
  EXPECT_LT(logit_error({8, 8}), logit_error({14, 14}));
}

TEST(DenseHead, SeparableAndOneSidedTargetsEndFinite) {
  const DenseRows separable{.size = 1, .inputs = {1, 2, 3, 4}, .targets = {0, 0, 1, 1}};
  const DenseRows all_right{.size = 1, .inputs = {1, 2, 3, 4}, .targets = {1, 1, 1, 1}};
  for (const DenseRows& rows : {separable, all_right}) {
    const auto head = fit_logistic(rows, 0.01);
    ASSERT_TRUE(head.has_value());
    const Estimate estimate = head->predict(rows.row(3));
    EXPECT_GT(estimate.probability, 0.8);
    EXPECT_TRUE(std::isfinite(estimate.logit) && std::isfinite(estimate.error));
  }
}

TEST(DenseHead, AConstantInputHasNoSay) {
  DenseRows rows = logistic_rows(300, 2, 4);
  for (std::size_t i = 0; i < rows.inputs.size(); i += 2) rows.inputs[i] = 0.1F;
  const auto head = fit_logistic(rows, 1);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->predict(std::vector<float>{0.1F, 5}).logit,
            head->predict(std::vector<float>{1e9F, 5}).logit);
}

RC_GTEST_PROP(DenseHead, AnyInputGivesAProbability, (float first, float second)) {
  static const DenseHead kHead = *fit_logistic(logistic_rows(200, 3, 5), 1);
  for (const float third :
       {0.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Estimate estimate = kHead.predict(std::vector<float>{first, second, third});
    RC_ASSERT(estimate.probability > 0 && estimate.probability < 1);
    RC_ASSERT(std::isfinite(estimate.logit));
    RC_ASSERT(estimate.error >= 0 && estimate.error < 1);
  }
}

TEST(DenseHead, MalformedRowsAreRefusedInWords) {
  const auto message = [](const DenseRows& rows) {
    const auto head = fit_logistic(rows, 1);
    if (head) return std::string("none");
    EXPECT_EQ(head.error().code, Code::kInvalidInput);
    return head.error().message;
  };
  EXPECT_EQ(message({}), "There are no rows to learn from.");
  EXPECT_EQ(message({.size = 2, .inputs = {1, 2, 3}, .targets = {1, 0}}),
            "The rows have 3 numbers for 2 targets; each row needs the same number of inputs, at "
            "most 64.");
  EXPECT_NE(message({.size = 65, .inputs = std::vector<float>(65), .targets = {1}}), "none");
  EXPECT_EQ(message({.size = 1, .inputs = {1, NAN}, .targets = {1, 0}}),
            "Input 0 of row 1 is not a finite number.");
  EXPECT_EQ(message({.size = 1, .inputs = {1, 2}, .targets = {1, 1.5}}),
            "The target of row 1 is 1.5, but must be from 0 to 1.");
  EXPECT_NE(message({.size = 1, .inputs = {1}, .targets = {NAN}}), "none");
}

TEST(CountHead, FindsALogLinearCountAndItsSpread) {
  DenseRows rows{.size = 1, .inputs = {}, .targets = {}};
  Rng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    const double x = normal(rng);
    rows.inputs.push_back(static_cast<float>(x));
    rows.targets.push_back(exponential(4 + 0.5 * x + 0.3 * normal(rng)));
  }
  const auto head = fit_counts(rows, 1);
  ASSERT_TRUE(head.has_value());
  const CountEstimate estimate = head->predict(std::vector<float>{1});
  EXPECT_NEAR(estimate.log_mean, 4.5, 0.02);
  EXPECT_NEAR(estimate.log_sd, 0.3, 0.01);
  EXPECT_NEAR(estimate.median(), std::exp(4.5), 2);
  EXPECT_NEAR(estimate.mean(), std::exp(4.5 + 0.045), 2);
  EXPECT_NEAR(estimate.p90(), std::exp(4.5 + 1.2816 * 0.3), 3);
}

// Two points, standardised to -1 and 1: w (2 + ridge) = log difference.
TEST(CountHead, TwoPointsAreSolvedByHand) {
  const DenseRows rows{.size = 1, .inputs = {10, 20}, .targets = {1, std::exp(2.0)}};
  const auto head = fit_counts(rows, 2);
  ASSERT_TRUE(head.has_value());
  EXPECT_NEAR(head->weights[0], 1, 1e-5);
  EXPECT_NEAR(head->weights[1], 2.0 / 4, 1e-9);
  EXPECT_NEAR(head->log_sd, 0.5, 1e-5);
}

TEST(CountHead, StaysWithinWhatItHasSeen) {
  const DenseRows rows{.size = 1, .inputs = {1, 2, 3}, .targets = {0, 10, 100}};
  const auto head = fit_counts(rows, 0.1);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->predict(std::vector<float>{1e30F}).log_mean, logarithm(100));
  EXPECT_EQ(head->predict(std::vector<float>{-1e30F}).log_mean, 0);
  EXPECT_TRUE(std::isfinite(head->predict(std::vector<float>{NAN}).p90()));
}

TEST(CountHead, RefusesWhatIsNoCount) {
  const auto head = fit_counts({.size = 0, .inputs = {}, .targets = {3, -1}}, 1);
  ASSERT_FALSE(head.has_value());
  EXPECT_EQ(head.error().message, "The target of row 1 is -1, but must be a count of 0 or more.");
}

}  // namespace
}  // namespace hf::learn
