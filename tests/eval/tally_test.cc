// Goal: sums of arms are right, and the interval is Wilson's.
// Method: by hand; published values of the interval.
#include "eval/tally.h"

#include <gtest/gtest.h>

namespace hf::eval {
namespace {

TEST(Tally, AddsUpEachArmInTheOrderOfItsFirstRow) {
  OutcomeRow row;
  row.arms = {{.endpoint = "e",
               .correct = 1,
               .prompt = Tokens(10),
               .completion = Tokens(2),
               .usd = PicoUsd(0),
               .seconds = 0.5,
               .output = {},
               .signals = {}},
              {.endpoint = "c",
               .tier = Tier::kCloud,
               .correct = 0.5,
               .prompt = Tokens(9),
               .completion = Tokens(1),
               .usd = PicoUsd(7),
               .seconds = 2,
               .output = {},
               .signals = {}}};
  std::vector<ArmTally> tallies;
  add_to(tallies, row);
  row.arms.erase(row.arms.begin());
  add_to(tallies, row);
  ASSERT_EQ(tallies.size(), 2U);
  EXPECT_EQ(tallies[0].endpoint, "e");
  EXPECT_EQ(tallies[0].rows, 1U);
  EXPECT_EQ(tallies[1].tier, Tier::kCloud);
  EXPECT_EQ(tallies[1].rows, 2U);
  EXPECT_EQ(tallies[1].right, 1);
  EXPECT_EQ(tallies[1].prompt, Tokens(18));
  EXPECT_EQ(tallies[1].completion, Tokens(2));
  EXPECT_EQ(tallies[1].usd, PicoUsd(14));
  EXPECT_EQ(tallies[1].seconds, 4);
}

TEST(Wilson, GivesThePublishedIntervals) {
  const Share some = wilson(81, 263);
  EXPECT_NEAR(some.value, 0.3080, 1e-4);
  EXPECT_NEAR(some.low, 0.2553, 1e-4);
  EXPECT_NEAR(some.high, 0.3662, 1e-4);
  EXPECT_NEAR(wilson(0, 10).high, 0.2775, 1e-4);
  EXPECT_NEAR(wilson(0, 10).low, 0, 1e-12);
  EXPECT_NEAR(wilson(10, 10).low, 0.7225, 1e-4);
  EXPECT_NEAR(wilson(10, 10).high, 1, 1e-12);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

}  // namespace
}  // namespace hf::eval
