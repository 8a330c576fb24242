// Goal: the dual solver finds the optimum of the primal problem, and rounding costs next to
// nothing. Method: the gradient at the solution is zero; planted words; no row's own target in its
// score.
#include "learn/text_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/rng.h"
#include "learn/numeric.h"
#include "learn/split.h"

namespace hf::learn {
namespace {

struct Sample {
  TermRows texts;
  std::vector<double> targets;
  std::vector<std::size_t> rows;
  std::vector<std::size_t> folds;
};

// Texts of ten words out of fifty; those with even numbers make a text easier.
Sample sample(std::size_t count, std::uint64_t seed, bool is_fractional = false) {
  Sample made;
  Rng rng(seed);
  TextTerms reader;
  for (std::size_t row = 0; row < count; ++row) {
    std::string text;
    double logit = 0;
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t word = rng.below(50);
      text += std::string(1, static_cast<char>('a' + word % 26)) + (word < 26 ? "lpha " : "eta ");
      logit += word % 2 == 0 ? 0.6 : -0.6;
    }
    made.texts.add(reader.read(text, ""));
    const double p = sigmoid(logit);
    made.targets.push_back(is_fractional ? p : rng.unit() < p ? 1 : 0);
    made.rows.push_back(row);
    made.folds.push_back(row % kFolds);
  }
  return made;
}

double exact_score(const std::vector<double>& weights, std::span<const Term> terms) {
  double sum = weights[kTextTerms];
  for (const Term& term : terms) sum += weights[term.index] * double{term.weight};
  return sum;
}

TEST(TextHead, TheGradientIsZeroAtTheSolution) {
  for (const bool is_fractional : {false, true}) {
    const Sample data = sample(300, 1, is_fractional);
    const TextFit options{.strength = 0.5, .rounds_max = 1000, .tolerance = 1e-10};
    const auto weights = fit_text_exactly(data.texts, data.targets, data.rows, options);
    std::vector<double> gradient = weights;
    for (const std::size_t row : data.rows) {
      const double p = sigmoid(exact_score(weights, data.texts.row(row)));
      const double step = options.strength * (p - data.targets[row]);
      gradient[kTextTerms] += step;
      for (const Term& term : data.texts.row(row)) {
        gradient[term.index] += step * double{term.weight};
      }
    }
    for (const double each : gradient) ASSERT_NEAR(each, 0, 1e-8);
  }
}

TEST(TextHead, ASingleRowIsSolvedByHand) {
  // One row without terms: minimise b^2/2 + C (log(1 + e^b) - b), that is b = C (1 - sigmoid(b)).
  TermRows texts;
  texts.add({});
  const std::vector<double> targets{1};
  const std::vector<std::size_t> rows{0};
  const TextHead head = fit_text(texts, targets, rows, {.strength = 2, .tolerance = 1e-12});
  EXPECT_NEAR(head.bias, 2 * (1 - sigmoid(head.bias)), 1e-9);
  EXPECT_EQ(head.score({}), head.bias);
}

TEST(TextHead, LearnsPlantedWords) {
  const Sample train = sample(3000, 1);
  const Sample test = sample(1000, 2);
  const TextHead head = fit_text(train.texts, train.targets, train.rows, {.strength = 1});
  int right = 0;
  for (const std::size_t row : test.rows) {
    right += (head.score(test.texts.row(row)) > 0) == (test.targets[row] > 0.5) ? 1 : 0;
  }
  EXPECT_GT(right, 740);  // Knowing the words' effects gives about 800.
}

TEST(TextHead, EightBitsAreEnough) {
  const Sample data = sample(1000, 3);
  const TextHead head = fit_text(data.texts, data.targets, data.rows, {});
  const auto exact = fit_text_exactly(data.texts, data.targets, data.rows, {});
  double largest = 0;
  double away = 0;
  for (const std::size_t row : data.rows) {
    const double score = exact_score(exact, data.texts.row(row));
    largest = std::max(largest, std::abs(score));
    away = std::max(away, std::abs(score - head.score(data.texts.row(row))));
  }
  EXPECT_LT(away, 0.03 * largest);
}

TEST(TextHead, TheSameSeedGivesTheSameHead) {
  const Sample data = sample(200, 4);
  EXPECT_EQ(fit_text(data.texts, data.targets, data.rows, {.seed = 7}),
            fit_text(data.texts, data.targets, data.rows, {.seed = 7}));
}

TEST(TextHead, NoRowsGiveAHeadThatKnowsNothing) {
  const TextHead head = fit_text({}, {}, {}, {});
  EXPECT_EQ(head.score({}), 0);
  EXPECT_EQ(TextHead{}.score(sample(1, 1).texts.row(0)), 0);
}

// With targets that nothing explains, a head that had seen the row would seem to explain it.
TEST(TextHead, CrossFittedScoresDoNotKnowTheirOwnTarget) {
  Sample data = sample(500, 5);
  Rng rng(9);
  for (double& target : data.targets) target = rng.below(2) == 0 ? 0 : 1;
  const TextFit options{.strength = 10};
  const auto scores = cross_fitted(data.texts, data.targets, data.rows, data.folds, options);
  const TextHead seen = fit_text(data.texts, data.targets, data.rows, options);
  int right = 0;
  int right_if_seen = 0;
  for (const std::size_t row : data.rows) {
    const bool is_right = data.targets[row] > 0.5;
    right += (scores[row] > 0) == is_right ? 1 : 0;
    right_if_seen += (seen.score(data.texts.row(row)) > 0) == is_right ? 1 : 0;
  }
  EXPECT_GT(right_if_seen, 310);
  EXPECT_NEAR(right, 250, 45);

  // Changing one row's target changes the scores of other folds only.
  data.targets[3] = 1 - data.targets[3];
  const auto changed = cross_fitted(data.texts, data.targets, data.rows, data.folds, options);
  for (const std::size_t row : data.rows) {
    if (data.folds[row] == data.folds[3]) {
      ASSERT_EQ(changed[row], scores[row]);
    }
  }
  EXPECT_NE(changed, scores);
}

}  // namespace
}  // namespace hf::learn
