// Goal: questions with parts are planned, simple ones are not, and the reason says what was seen.
// Method: typical questions of either kind.
#include "plan/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hf {
namespace {

using testing::HasSubstr;

TEST(Gate, AnExplicitModeDecidesWhateverTheQuestion) {
  EXPECT_TRUE(gate("Hi", PlanMode::kAlways).plan);
  EXPECT_EQ(gate("Hi", PlanMode::kAlways).reason, "a plan was asked for");
  EXPECT_FALSE(gate("A? B? C?", PlanMode::kNever).plan);
  EXPECT_EQ(gate("Hi", PlanMode::kNever).reason, "no plan was asked for");
  EXPECT_TRUE(gate("Hi", PlanMode::kGiven).plan);
}

TEST(Gate, SimpleQuestionsGoOutWhole) {
  for (const std::string question :
       {"", "What is the capital of France?", "Is 17 a prime number?", "Translate hello to French.",
        "Which planet is largest? A) Mars B) Jupiter C) Venus D) Earth", "   \n\t "}) {
    EXPECT_FALSE(gate(question, PlanMode::kAuto).plan) << question;
  }
  EXPECT_EQ(gate("Is 17 prime?", PlanMode::kAuto).reason, "short single question of 3 words");
}

TEST(Gate, QuestionsWithPartsArePlannedAndTheReasonNamesThem) {
  const auto reason = [](const std::string& question) {
    const GateVerdict verdict = gate(question, PlanMode::kAuto);
    EXPECT_TRUE(verdict.plan) << question;
    return verdict.reason;
  };
  EXPECT_EQ(reason("Who built it? When? And why?"), "3 questions");
  EXPECT_EQ(reason("Find (a) the mean and (b) the median of the list."), "2 numbered parts");
  EXPECT_EQ(reason("Do 1. name the river 2. name the city"), "2 numbered parts");
  EXPECT_EQ(reason("Tom has 3 boxes. Each holds 8 pens. How many pens are there?"),
            "2 sentences with numbers");
  EXPECT_EQ(reason("Tom has three boxes. Each holds twice as much. How many pens are there?"),
            "2 sentences with numbers");
  EXPECT_THAT(reason("Sort the words\nand then count the vowels."), HasSubstr("and then"));
  EXPECT_THAT(reason("Compare steam and sail."), HasSubstr("compare"));
  EXPECT_THAT(reason("a b c d e f g h i j k l m n o p q r s t u v w 12 z and 13"),
              HasSubstr("27 words with 2 numbers"));
  std::string long_question;
  for (int i = 0; i < 90; ++i) long_question += "word ";
  EXPECT_EQ(reason(long_question), "90 words");
}

}  // namespace
}  // namespace hf
