// Goal: a multiple-choice question is read as published; a wrong one is refused with its place.
// Method: one good line, one wrong line per rule.
#include "wire/question_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hf::wire {
namespace {

std::string fault_of_question(std::string_view line) {
  const auto question = read_choice_question(line, 3);
  return question ? "accepted" : question.error().message;
}

TEST(QuestionLine, IsReadWhole) {
  const auto question = read_choice_question(
      R"({"id":"7","category":"law","question":"Who?","options":["he",""],"answer":"B"})", 3);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->id, "7");
  EXPECT_EQ(question->category, "law");
  EXPECT_EQ(question->question, "Who?");
  EXPECT_THAT(question->options, testing::ElementsAre("he", ""));
  EXPECT_EQ(question->answer, "B");
}

TEST(QuestionLine, IsRefusedWithLineAndMember) {
  EXPECT_EQ(fault_of_question(R"({"category":"law"})"), "line 3: id is missing.");
  EXPECT_EQ(fault_of_question(
                R"({"id":"7","category":"law","question":"Who?","options":[],"answer":"A"})"),
            "line 3: options is [], but must have 1 to 26 entries.");
  EXPECT_EQ(fault_of_question(
                R"({"id":"7","category":"law","question":"Who?","options":["a"],"answer":"B"})"),
            "line 3: answer is \"B\", but must be a letter from A to A.");
  EXPECT_EQ(fault_of_question(
                R"({"id":"7","category":"law","question":"Who?","options":[1],"answer":"A"})"),
            "line 3: options is [1], but must be a list of texts.");
}

}  // namespace
}  // namespace hf::wire
