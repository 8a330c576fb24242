// Goal: the pooled blocks are the best monotone fit, and the map drawn through them keeps the
// order. Method: against the min-max formula, which is slow and obviously right; properties of the
// map.
#include "learn/isotonic.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

std::vector<IsotonicRow> random_rows(std::uint64_t seed, std::size_t most) {
  Rng rng(seed);
  std::vector<IsotonicRow> rows(1 + rng.below(most));
  for (IsotonicRow& row : rows) {
    row.score = static_cast<double>(rng.below(12)) / 2;  // With ties.
    row.target = rng.below(3) == 0 ? rng.unit() : static_cast<double>(rng.below(2));
    row.weight = 0.5 + rng.unit();
  }
  return rows;
}

// max over a <= i of min over b >= i of the weighted mean of the rows with scores a..b.
double min_max(const std::vector<IsotonicRow>& rows, double score) {
  double best = -1;
  for (const IsotonicRow& low : rows) {
    if (low.score > score) continue;
    double least = 2;
    for (const IsotonicRow& high : rows) {
      if (high.score < score) continue;
      double sum = 0;
      double weight = 0;
      for (const IsotonicRow& row : rows) {
        if (row.score < low.score || row.score > high.score) continue;
        sum += row.weight * row.target;
        weight += row.weight;
      }
      least = std::min(least, sum / weight);
    }
    best = std::max(best, least);
  }
  return best;
}

RC_GTEST_PROP(Isotonic, PoolingGivesTheMinMaxFormula, (std::uint64_t seed)) {
  const std::vector<IsotonicRow> rows = random_rows(seed, 30);
  const std::vector<IsotonicBlock> blocks = pooled(rows);
  // The blocks in the order of their rows: walk the distinct scores and use up each block's weight.
  std::vector<double> scores;
  for (const IsotonicRow& row : rows) scores.push_back(row.score);
  std::ranges::sort(scores);
  scores.erase(std::ranges::unique(scores).begin(), scores.end());
  std::size_t block = 0;
  double left = blocks[0].weight;
  for (const double score : scores) {
    if (left < 1e-9) left = blocks[++block].weight;
    RC_ASSERT(std::abs(blocks[block].target - min_max(rows, score)) < 1e-9);
    for (const IsotonicRow& row : rows) left -= row.score == score ? row.weight : 0;
  }
  RC_ASSERT(block + 1 == blocks.size());
}

TEST(Isotonic, TheOrderOfTheRowsDoesNotMatter) {
  std::vector<IsotonicRow> rows = random_rows(3, 400);
  while (rows.size() < kIsotonicRowsMin) rows.insert(rows.end(), rows.begin(), rows.end());
  const IsotonicMap map = fit_isotonic(rows);
  std::ranges::reverse(rows);
  EXPECT_EQ(fit_isotonic(rows), map);
}

RC_GTEST_PROP(Isotonic, TheMapIsMonotoneBoundedAndShort, (std::uint64_t seed)) {
  Rng rng(seed);
  std::vector<IsotonicRow> rows(kIsotonicRowsMin + rng.below(2000));
  for (IsotonicRow& row : rows) {
    row.score = rng.unit() * 8 - 4;
    row.target = rng.unit() < sigmoid(row.score) ? 1 : 0;
  }
  const IsotonicMap map = fit_isotonic(rows);
  RC_ASSERT(map.scores.size() <= IsotonicMap::kKnotsMax && map.scores.size() == map.values.size());
  double last = 0;
  for (double score = -6; score <= 6; score += 0.01) {
    const double value = map(score);
    RC_ASSERT(value >= last && value >= IsotonicMap::kLowest && value <= IsotonicMap::kHighest);
    last = value;
  }
}

TEST(Isotonic, MendsAnOverconfidentScore) {
  Rng rng(1);
  std::vector<IsotonicRow> rows(20'000);
  for (IsotonicRow& row : rows) {
    const double logit = rng.unit() * 4 - 2;
    row = {3 * logit, rng.unit() < sigmoid(logit) ? 1.0 : 0.0, 1};
  }
  const IsotonicMap map = fit_isotonic(rows);
  for (double logit = -1.8; logit < 1.8; logit += 0.2) {
    EXPECT_NEAR(map(3 * logit), sigmoid(logit), 0.04) << logit;
  }
}

TEST(Isotonic, FewRowsLeaveTheSigmoid) {
  std::vector<IsotonicRow> rows(kIsotonicRowsMin - 1, {0.5, 1, 1});
  const IsotonicMap map = fit_isotonic(rows);
  EXPECT_TRUE(map.scores.empty());
  EXPECT_EQ(map(0.3), sigmoid(0.3));
  EXPECT_EQ(map(1000), IsotonicMap::kHighest);
  EXPECT_EQ(map(-std::numeric_limits<double>::infinity()), IsotonicMap::kLowest);
}

TEST(Isotonic, PureTargetsAreNotCertain) {
  const std::vector<IsotonicRow> rows(kIsotonicRowsMin, {0.5, 1, 1});
  EXPECT_EQ(fit_isotonic(rows)(0.5), IsotonicMap::kHighest);
}

TEST(Isotonic, RunsThroughTheCentresAndFlatOutside) {
  const IsotonicMap map{.scores = {0, 1, 3}, .values = {0.2, 0.4, 0.8}};
  EXPECT_EQ(map(-5), 0.2);
  EXPECT_NEAR(map(0.5), 0.3, 1e-12);
  EXPECT_NEAR(map(1), 0.4, 1e-12);
  EXPECT_NEAR(map(2), 0.6, 1e-12);
  EXPECT_EQ(map(3), 0.8);
  EXPECT_EQ(map(std::numeric_limits<double>::infinity()), 0.8);
}

TEST(Isotonic, MergingJoinsTheCheapestFirstAndKeepsTheMean) {
  const std::vector<IsotonicBlock> blocks{{0, 0.1, 5}, {1, 0.2, 5}, {2, 0.8, 5}, {3, 0.85, 0.5}};
  const auto three = merged(blocks, 3, 0);
  ASSERT_EQ(three.size(), 3U);
  EXPECT_NEAR(three[2].target, (0.8 * 5 + 0.85 * 0.5) / 5.5, 1e-12);
  EXPECT_EQ(merged(blocks, 10, 1).size(), 3U);  // The last one is too light.
  EXPECT_EQ(merged(blocks, 10, 100).size(), 1U);
  EXPECT_EQ(merged(blocks, 0, 0).size(), 1U);
  EXPECT_EQ(merged({}, 3, 1).size(), 0U);
}

}  // namespace
}  // namespace hf::learn
