// Goal: the answer with the most weight stands, and the counts tell how sure that is.
// Method: by hand.
#include "route/vote.h"

#include <gtest/gtest.h>

#include <vector>

namespace hf {
namespace {

TEST(CountVotes, OneBallotStands) {
  Attempt attempt;
  const std::vector<Ballot> ballots = {{"A"}};
  EXPECT_EQ(count_votes(ballots, attempt), 0U);
  EXPECT_EQ(attempt.voters, 0);
  EXPECT_EQ(attempt.distinct, 1);
  EXPECT_EQ(attempt.kept_share, 1);
  EXPECT_TRUE(attempt.is_first_kept && attempt.has_answer);
}

TEST(CountVotes, TheMajorityOverrulesTheFirst) {
  Attempt attempt;
  const std::vector<Ballot> ballots = {{"A"}, {"B"}, {"B"}};
  EXPECT_EQ(count_votes(ballots, attempt), 1U);
  EXPECT_FALSE(attempt.is_first_kept);
  EXPECT_EQ(attempt.agreeing, 0);
  EXPECT_EQ(attempt.distinct, 2);
  EXPECT_NEAR(attempt.kept_share, 2.0 / 3, 1e-12);
}

TEST(CountVotes, WeightCountsAndTiesGoToTheEarlier) {
  Attempt attempt;
  EXPECT_EQ(count_votes(std::vector<Ballot>{{"A", 3}, {"B", 1}, {"B", 1}}, attempt), 0U);
  EXPECT_EQ(count_votes(std::vector<Ballot>{{"A", 1}, {"B", 1}}, attempt), 0U);
}

TEST(CountVotes, NoAnswerStandsOnlyAlone) {
  Attempt attempt;
  EXPECT_EQ(count_votes(std::vector<Ballot>{{"", 5}, {"", 5}, {"C", 1}}, attempt), 2U);
  EXPECT_TRUE(attempt.has_answer);
  EXPECT_EQ(count_votes(std::vector<Ballot>{{""}, {""}}, attempt), 0U);
  EXPECT_FALSE(attempt.has_answer);
  EXPECT_EQ(attempt.agreeing, 0) << "two without an answer do not agree";
}

TEST(VoteWeight, GrowsWithAccuracyAndIsNeverNegative) {
  EXPECT_EQ(vote_weight(0), 0);
  EXPECT_NEAR(vote_weight(0.1), 0, 1e-12);
  EXPECT_LT(vote_weight(0.3), vote_weight(0.5));
  EXPECT_LT(vote_weight(0.99), vote_weight(1) + 1e-12);
}

TEST(TimeOfCalls, CallsStartInOrderAsPlacesBecomeFree) {
  const std::vector<Duration> calls = {Duration(5), Duration(2), Duration(2), Duration(4)};
  EXPECT_EQ(time_of_calls(calls, 1), Duration(13));
  EXPECT_EQ(time_of_calls(calls, 2), Duration(8)) << "5 and 2 + 2 + 4";
  EXPECT_EQ(time_of_calls(calls, 3), Duration(6));
  EXPECT_EQ(time_of_calls(calls, 1000), Duration(5));
  EXPECT_EQ(time_of_calls({}, 1), Duration(0));
}

}  // namespace
}  // namespace hf
