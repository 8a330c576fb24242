// Goal: the numbers about a task's text are what their names say.
// Method: small texts with known counts, and random bytes for the bounds.
#include "route/features.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace hf {
namespace {

TaskFeatures task_features(std::string_view text, std::uint8_t difficulty) {
  return FeatureReader(nullptr).read(text, difficulty);
}

TEST(TaskFeatures, AnEmptyTextHasNone) {
  const TaskFeatures f = task_features("", 0);
  EXPECT_EQ(f.words + f.numbers + f.operators + f.choices + f.code + f.difficulty, 0);
}

TEST(TaskFeatures, CountsWordsBetweenAnyWhiteSpace) {
  EXPECT_EQ(task_features("  What\tis \n the  sum?\n", 0).words, 4);
}

TEST(TaskFeatures, CountsRunsOfDigits) {
  EXPECT_EQ(task_features("From 1999 to 2024 a2b3", 0).numbers, 4);
}

TEST(TaskFeatures, CountsOperatorsButNotHyphensInWords) {
  EXPECT_EQ(task_features("3 + 4*x = y^2 - 1 < 5%", 0).operators, 7);
  EXPECT_EQ(task_features("a well-known and/or word", 0).operators, 0);
  EXPECT_EQ(task_features("-5/2", 0).operators, 2);
}

TEST(TaskFeatures, CountsChoicesInTheUsualForms) {
  EXPECT_EQ(task_features("Which?\nA) one\nB) two\nC) three", 0).choices, 3);
  EXPECT_EQ(task_features("Which: (a) one (b) two", 0).choices, 2);
  EXPECT_EQ(task_features("A. one\nB. two", 0).choices, 2);
  EXPECT_EQ(task_features("Evaluate f(a) at (x). Plan B. is done", 0).choices, 0);
}

TEST(TaskFeatures, CountsSignsOfCode) {
  EXPECT_EQ(task_features("`x`", 0).code, 2);
  EXPECT_EQ(task_features("int f() { return 1;\n}", 0).code, 4);
  EXPECT_EQ(task_features("define a classic return_value; then", 0).code, 0);
}

TEST(TaskFeatures, KeepsTheDifficulty) {
  EXPECT_EQ(task_features("x", 7).difficulty, 7);
}

TEST(TaskFeatures, CountsAreClamped) {
  std::string text;
  for (int i = 0; i < 70'000; ++i) text += "1 ";
  EXPECT_EQ(task_features(text, 0).words, 65'535);
  EXPECT_EQ(task_features(text, 0).numbers, 65'535);
}

RC_GTEST_PROP(TaskFeatures, NoCountExceedsTheBytes, (const std::string& text)) {
  const TaskFeatures f = task_features(text, 0);
  for (const unsigned counted : {f.words, f.numbers, f.operators, f.choices, f.code}) {
    RC_ASSERT(counted <= text.size());
  }
}

}  // namespace
}  // namespace hf
