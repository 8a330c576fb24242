// Goal: each measure is its definition, ties and fractions included, and its interval covers.
// Method: against brute force over all pairs; repeated draws with a known truth.
#include "learn/metrics.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace hf::learn {
namespace {

constexpr MetricOptions kNoIntervals{.bins = 15, .replicates = 0, .seed = 1};

std::vector<Scored> random_rows(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Scored> rows(1 + rng.below(60));
  for (Scored& row : rows) {
    row.predicted = static_cast<double>(rng.below(9)) / 8;  // With ties.
    row.target = rng.below(3) == 0 ? rng.unit() : static_cast<double>(rng.below(2));
    row.query = rng.below(20);
  }
  return rows;
}

double brute_auroc(const std::vector<Scored>& rows) {
  double won = 0;
  double pairs = 0;
  for (const Scored& right : rows) {
    for (const Scored& wrong : rows) {
      const double weight = right.target * (1 - wrong.target);
      pairs += weight;
      if (right.predicted > wrong.predicted) won += weight;
      if (right.predicted == wrong.predicted) won += weight / 2;
    }
  }
  return pairs > 0 ? won / pairs : 0.5;
}

RC_GTEST_PROP(Metrics, AurocCountsThePairs, (std::uint64_t seed)) {
  const std::vector<Scored> rows = random_rows(seed);
  RC_ASSERT(std::abs(measure(rows, kNoIntervals).auroc.value - brute_auroc(rows)) < 1e-9);
}

RC_GTEST_PROP(Metrics, BrierAndLogLossAreMeans, (std::uint64_t seed)) {
  const std::vector<Scored> rows = random_rows(seed);
  double brier = 0;
  double loss = 0;
  for (const auto& [predicted, target, query] : rows) {
    brier += (predicted - target) * (predicted - target) / static_cast<double>(rows.size());
    const double p = std::min(std::max(predicted, 1e-6), 1 - 1e-6);
    loss -=
        (target * std::log(p) + (1 - target) * std::log(1 - p)) / static_cast<double>(rows.size());
  }
  const Metrics metrics = measure(rows, kNoIntervals);
  RC_ASSERT(std::abs(metrics.brier.value - brier) < 1e-12);
  RC_ASSERT(std::abs(metrics.log_loss.value - loss) < 1e-9);
}

RC_GTEST_PROP(Metrics, IntervalsHoldTheirValueAndTheOrderOfRowsIsNothing, (std::uint64_t seed)) {
  std::vector<Scored> rows = random_rows(seed);
  const MetricOptions options{.bins = 5, .replicates = 50, .seed = 3};
  const Metrics one = measure(rows, options);
  std::ranges::reverse(rows);
  const Metrics other = measure(rows, options);
  for (const auto& [a, b] :
       {std::pair(one.ece, other.ece), std::pair(one.brier, other.brier),
        std::pair(one.log_loss, other.log_loss), std::pair(one.auroc, other.auroc)}) {
    RC_ASSERT(a.low <= a.value && a.value <= a.high && a.low >= 0);
    RC_ASSERT(a.value == b.value && a.low == b.low && a.high == b.high);
  }
}

TEST(Metrics, PerfectAndHopelessPredictions) {
  const std::vector<Scored> perfect{{0, 0, 1}, {0, 0, 2}, {1, 1, 3}, {1, 1, 4}};
  Metrics metrics = measure(perfect, kNoIntervals);
  EXPECT_EQ(metrics.auroc.value, 1);
  EXPECT_EQ(metrics.brier.value, 0);
  EXPECT_EQ(metrics.ece.value, 0);
  EXPECT_LT(metrics.log_loss.value, 1e-5);
  EXPECT_EQ(metrics.rows, 4U);
  EXPECT_EQ(metrics.queries, 4U);

  const std::vector<Scored> hopeless{{1, 0, 1}, {0, 1, 2}};
  metrics = measure(hopeless, kNoIntervals);
  EXPECT_EQ(metrics.auroc.value, 0);
  EXPECT_EQ(metrics.ece.value, 1);
  EXPECT_TRUE(std::isfinite(metrics.log_loss.value));
}

TEST(Metrics, OneClassHasNoOrder) {
  const std::vector<Scored> rows{{0.2, 1, 1}, {0.9, 1, 2}};
  EXPECT_EQ(measure(rows).auroc.value, 0.5);
  EXPECT_EQ(measure({}).rows, 0U);
  EXPECT_TRUE(reliability({}).empty());
}

// One constant prediction is one bin, whatever the number of bins: 0.1 off.
TEST(Metrics, EqualPredictionsShareABin) {
  std::vector<Scored> rows;
  for (std::uint64_t i = 0; i < 100; ++i) rows.push_back({0.6, i % 2 == 0 ? 1.0 : 0.0, i});
  const Metrics metrics = measure(rows, kNoIntervals);
  EXPECT_NEAR(metrics.ece.value, 0.1, 1e-12);
  EXPECT_NEAR(metrics.ece_floor, std::sqrt(2 / M_PI) * std::sqrt(0.24 / 100), 1e-12);
  const auto bins = reliability(rows);
  ASSERT_EQ(bins.size(), 1U);
  EXPECT_EQ(bins[0].rows, 100U);
  EXPECT_NEAR(bins[0].predicted, 0.6, 1e-12);
  EXPECT_NEAR(bins[0].observed, 0.5, 1e-12);
  EXPECT_NEAR(bins[0].error, 0.05, 1e-12);
}

TEST(Metrics, BinsHaveEqualMassAndRise) {
  Rng rng(1);
  std::vector<Scored> rows(3000);
  for (Scored& row : rows) {
    row.predicted = rng.unit() * rng.unit();
    row.target = rng.unit() < row.predicted ? 1 : 0;
    row.query = rng.next();
  }
  const auto bins = reliability(rows, 15);
  ASSERT_EQ(bins.size(), 15U);
  for (std::size_t i = 0; i < bins.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(bins[i].rows), 200, 1);
    EXPECT_NEAR(bins[i].observed, bins[i].predicted, 4 * bins[i].error + 0.01);
    if (i > 0) {
      EXPECT_GT(bins[i].predicted, bins[i - 1].predicted);
    }
  }
  // True probabilities: what is left is chance.
  const Metrics metrics = measure(rows);
  EXPECT_NEAR(metrics.ece.value / metrics.ece_floor, 1, 0.5);
}

// The Brier score of a fair coin told as 0.3 with known truth 0.29: intervals hold it 19 times
// of 20. Three rows a query with one outcome: drawing rows instead of queries would be far too
// sure.
TEST(Metrics, IntervalsCoverWithWholeQueries) {
  int covered = 0;
  constexpr int kDraws = 200;
  for (int draw = 0; draw < kDraws; ++draw) {
    Rng rng(static_cast<std::uint64_t>(draw));
    std::vector<Scored> rows;
    for (std::uint64_t query = 0; query < 150; ++query) {
      const double target = static_cast<double>(rng.below(2));
      for (int i = 0; i < 3; ++i) rows.push_back({0.3, target, query});
    }
    const Interval brier = measure(rows, {.bins = 5, .replicates = 200, .seed = 1}).brier;
    covered += brier.low <= 0.29 && 0.29 <= brier.high ? 1 : 0;
  }
  EXPECT_GE(covered, 180);
  EXPECT_LE(covered, 199);
}

}  // namespace
}  // namespace hf::learn
