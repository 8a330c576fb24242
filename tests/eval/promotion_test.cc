// Goal: what was learned serves only if the logged decisions say that it is no worse.
// Method: synthetic logs of a router in a world that has shifted, in the world it was trained for,
// and in one whose labels are noise; decisions, exploration and outcomes drawn.
#include "eval/promotion.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace hf::eval {
namespace {

struct World {
  double edge_right = 0.8;  // What is true; the model always predicts 0.8 and 0.9.
  double cloud_right = 0.9;
  double price = 0.2;
  double explore = 0.2;
};

// The log of a router that compares the gain with the price, and explores.
std::vector<JudgedChoice> log_of(const World& world, std::size_t rows, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<JudgedChoice> log;
  for (std::size_t i = 0; i < rows; ++i) {
    PastChoice choice;
    choice.was_open = true;
    choice.edge_chance = choice.edge_served = 0.75 + 0.1 * rng.unit();
    choice.cloud_chance = choice.cloud_served = 0.9;
    choice.utility = choice.cloud_chance - choice.edge_chance;
    choice.threshold = world.price;
    const bool wishes_cloud = choice.utility > choice.threshold;
    const bool draws = rng.unit() < world.explore;
    const bool is_cloud = draws ? rng.unit() < 0.5 : wishes_cloud;
    choice.tier = is_cloud ? Tier::kCloud : Tier::kEdge;
    choice.propensity = world.explore / 2 + (is_cloud == wishes_cloud ? 1 - world.explore : 0);
    const double right = is_cloud ? world.cloud_right : world.edge_right;
    log.push_back({.query = i, .choice = choice, .told = rng.unit() < right ? 1.0 : 0.0});
  }
  return log;
}

TEST(Promotion, OfAShiftedWorldHappens) {
  const auto log = log_of({.edge_right = 0.2}, 200, 1);
  const Verdict verdict = judge_candidate(log, {});
  ASSERT_TRUE(verdict.difference);
  EXPECT_TRUE(verdict.is_promoted) << words_of(verdict);
  EXPECT_GT(verdict.low(), 0.1);  // The truth is 0.5 for nearly every decision.
  EXPECT_TRUE(words_of(verdict).starts_with("promoted: +0.")) << words_of(verdict);
  const ServedChances chances = served_chances(log.front().choice, learned_from(log));
  EXPECT_NEAR(chances.edge, 0.2, 0.1);
}

TEST(Promotion, OfLabelsThatAreNoiseIsRefused) {
  // Nearly a tie, so that chance makes a candidate change its mind, and labels of a coin.
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto log =
        log_of({.edge_right = 0.5, .cloud_right = 0.5, .price = 0.11, .explore = 0.4}, 40, seed);
    const Verdict verdict = judge_candidate(log, {});
    ASSERT_TRUE(verdict.difference);
    refused += verdict.is_promoted ? 0 : 1;
    EXPECT_EQ(verdict.is_promoted, verdict.low() >= -kPromotionLoss);
  }
  EXPECT_GE(refused, 15);
}

TEST(Promotion, OfWhatChangesNoDecisionIsHarmlessAndAllowed) {
  const Verdict verdict = judge_candidate(log_of({.price = 0.9}, 60, 3), {});
  ASSERT_TRUE(verdict.difference);
  EXPECT_EQ(verdict.difference->value, 0);
  EXPECT_TRUE(verdict.is_promoted);
}

TEST(Promotion, NeedsThirtyLabelsThatCount) {
  auto log = log_of({.edge_right = 0.2}, 29, 4);
  EXPECT_EQ(words_of(judge_candidate(log, {})), "candidate not promoted: 29 of 30 labels");
  // What has no label of a user, no alternative or no prediction does not count.
  for (const JudgedChoice& each : log_of({}, 3, 5)) log.push_back(each);
  log[29].told.reset();
  log[29].agreed = 1;
  log[30].choice.was_open = false;
  log[31].choice.edge_chance = 0;
  EXPECT_EQ(judge_candidate(log, {}).labels, 29U);
  EXPECT_FALSE(judge_candidate(log, {}).is_promoted);
}

TEST(Promotion, OfOneQuestionAloneIsRefused) {
  auto log = log_of({}, 40, 6);
  for (JudgedChoice& each : log) each.query = 0;
  const Verdict verdict = judge_candidate(log, {});
  EXPECT_FALSE(verdict.is_promoted);
  EXPECT_EQ(words_of(verdict), "candidate not promoted: all labels are of one question");
}

TEST(Promotion, ComparesWithWhatServesNow) {
  // The candidate of the same labels serves already: there is little to gain.
  const auto log = log_of({.edge_right = 0.2}, 200, 7);
  const Verdict first = judge_candidate(log, {});
  const Verdict second = judge_candidate(log, learned_from(log));
  ASSERT_TRUE(first.difference && second.difference);
  EXPECT_NEAR(second.difference->value, 0, 0.05);
  EXPECT_GT(first.difference->value, 0.2);
}

TEST(Learning, IsAFunctionOfTheLabels) {
  auto log = log_of({}, 50, 8);
  EXPECT_EQ(learned_from(log), learned_from(log));
  log[10].told = 1 - *log[10].told;
  const auto changed = learned_from(log);
  log[10].told = 1 - *log[10].told;
  EXPECT_NE(changed, learned_from(log));
}

TEST(Learning, PutsEachLabelWhereItBelongs) {
  JudgedChoice judged;
  judged.choice.edge_chance = 0.5;
  judged.choice.cloud_chance = 0.5;
  judged.choice.tier = Tier::kCloud;
  judged.choice.was_tried = true;
  judged.told = 1;
  judged.agreed = 0;
  const learn::Corrections learned = learned_from(std::vector{judged});
  EXPECT_EQ(learned.edge.state().updates, 0U);
  EXPECT_LT(learn::corrected(learned.kept, 0.5, kLiveCategory), 0.5);
  EXPECT_GT(learn::corrected(learned.cloud, 0.5, kLiveCategory), 0.5);
  judged.agreed.reset();
  judged.choice.tier = Tier::kEdge;
  judged.choice.was_tried = false;
  EXPECT_EQ(learned_from(std::vector{judged}).edge.state().updates, 1U);
  judged.choice.edge_chance = 0;
  EXPECT_EQ(learned_from(std::vector{judged}), learn::Corrections{});
}

TEST(Difference, IsThatOfTheTwoEstimatesWithItsOwnError) {
  const std::vector<LoggedDecision> one{{.query = 1,
                                         .reward = 1,
                                         .propensity = 0.5,
                                         .target = 1,
                                         .predicted_logged = 0.5,
                                         .predicted_target = 0.5},
                                        {.query = 2,
                                         .reward = 0,
                                         .propensity = 0.5,
                                         .target = 0,
                                         .predicted_logged = 0.5,
                                         .predicted_target = 0.25}};
  auto other = one;
  const auto none = estimate_difference(one, other);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->value, 0);
  EXPECT_EQ(none->standard_error, 0);
  other[0].target = 0;
  const auto found = estimate_difference(one, other);
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->value, 0.5);
  EXPECT_DOUBLE_EQ(found->standard_error, 0.5);
  other[1].query = 3;
  EXPECT_FALSE(estimate_difference(one, other));
}

}  // namespace
}  // namespace hf::eval
