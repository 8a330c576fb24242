// Goal: predictions follow what was measured, say nothing before, and never overflow.
// Method: feed known durations and compare.
#include "health/speed.h"

#include <gtest/gtest.h>

namespace hf {
namespace {

using std::chrono::milliseconds;

TEST(Speed, SaysNothingBeforeTheFirstMeasurement) {
  EXPECT_EQ(Speed().predicted(Tokens(100)), Duration(0));
}

TEST(Speed, AddsTheFirstTokenAndTheRest) {
  Speed speed;
  speed.saw_first_token(milliseconds(50));
  speed.saw_answer(milliseconds(200), Tokens(100));
  EXPECT_EQ(speed.predicted(Tokens(10)), milliseconds(70));
  EXPECT_EQ(speed.predicted(Tokens(0)), milliseconds(50));
}

TEST(Speed, MovesAQuarterOfTheWayToEachNewMeasurement) {
  Speed speed;
  speed.saw_first_token(milliseconds(100));
  speed.saw_first_token(milliseconds(200));
  EXPECT_EQ(speed.predicted(Tokens(0)), milliseconds(125));
  speed.saw_first_token(milliseconds(25));
  EXPECT_EQ(speed.predicted(Tokens(0)), milliseconds(100));
}

TEST(Speed, IgnoresAnAnswerWithoutTokens) {
  Speed speed;
  speed.saw_answer(milliseconds(500), Tokens(0));
  EXPECT_EQ(speed.predicted(Tokens(10)), Duration(0));
}

TEST(Speed, SurvivesAbsurdMeasurements) {
  Speed speed;
  speed.saw_first_token(Duration::max());
  speed.saw_first_token(Duration::min());
  speed.saw_answer(Duration::max(), Tokens(1));
  EXPECT_GT(speed.predicted(Tokens(INT64_MAX)), Duration(0));
  EXPECT_GT(speed.predicted(Tokens(INT64_MIN)), Duration(0));
}

}  // namespace
}  // namespace hf
