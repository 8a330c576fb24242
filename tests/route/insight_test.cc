// Goal: what voters are expected to tell is what the calibration rows show, more with each, and
// nothing where there are no rows.
// Method: made-up rows whose moves and lifts follow the curve.
#include "route/insight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hf {
namespace {

constexpr Chances kEven{.edge = 0.5, .cloud = 0.8, .spread = 0.2};

// Moves of the gain by 0.1 without voters and by 0.3 with four, to both sides; a lift of 0.08.
std::vector<PastDecision> rows(int count) {
  std::vector<PastDecision> all;
  for (int i = 0; i < count; ++i) {
    const bool has_voters = i % 2 == 0;
    const double move = (i % 4 < 2 ? 1 : -1) * (has_voters ? 0.3 : 0.1);
    PastDecision& row = all.emplace_back();
    row.before = kEven;
    row.after = kEven;
    row.after.edge += has_voters ? 0.08 : 0;
    row.after.cloud = row.after.edge + kEven.gain() + move;
    row.was_tried = true;
    row.voters = has_voters ? 4 : 0;
  }
  return all;
}

TEST(Insight, IsReadOffTheRows) {
  const auto past = rows(400);
  const Insight insight(past);
  const double whole = std::sqrt((0.01 + 0.09) / 2);  // Of all rows together.
  EXPECT_NEAR(insight.spread(kEven, 0), 0.2 * 0.1 / whole, 1e-6);
  EXPECT_NEAR(insight.spread(kEven, 4), 0.2 * 0.3 / whole, 1e-6);
  EXPECT_NEAR(insight.lift(kEven, 0, 4), 0.08, 1e-6);
}

TEST(Insight, EveryVoterTellsLessThanTheOneBefore) {
  const auto past = rows(400);
  const Insight insight(past);
  for (std::size_t votes = 1; votes < 6; ++votes) {
    EXPECT_GT(insight.spread(kEven, votes), insight.spread(kEven, votes - 1));
    EXPECT_LT(insight.lift(kEven, votes, votes + 1), insight.lift(kEven, votes - 1, votes));
    const double all = insight.spread(kEven, votes + 1);
    EXPECT_NEAR(
        std::hypot(insight.spread(kEven, votes), insight.further_spread(kEven, votes, votes + 1)),
        all, 1e-9);
  }
  EXPECT_EQ(insight.further_spread(kEven, 3, 3), 0);
}

TEST(Insight, WhereAllHadVotersTheseToldEverything) {
  auto past = rows(400);
  for (PastDecision& row : past) row.voters = 4;
  const Insight insight(past);
  EXPECT_NEAR(insight.spread(kEven, 0), 0, 1e-6);
  EXPECT_NEAR(insight.spread(kEven, 4), kEven.spread, 1e-9);
}

TEST(Insight, WhatIsSureIsNotLifted) {
  const auto past = rows(400);
  const Chances sure{.edge = 1, .cloud = 1};
  EXPECT_EQ(Insight(past).lift(sure, 0, 4), 0);
}

TEST(Insight, WithTooFewRowsNothingIsExpectedOfVoters) {
  const auto few = rows(40);
  for (const std::span<const PastDecision> past :
       {std::span<const PastDecision>(), std::span<const PastDecision>(few)}) {
    const Insight insight(past);
    EXPECT_EQ(insight.spread(kEven, 0), kEven.spread);
    EXPECT_EQ(insight.spread(kEven, 4), kEven.spread);
    EXPECT_EQ(insight.lift(kEven, 0, 4), 0);
  }
}

}  // namespace
}  // namespace hf
