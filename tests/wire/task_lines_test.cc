// Goal: a task is read as people write it; a wrong one is refused with its place.
// Method: good lines of each form, one wrong line per rule.
#include "wire/task_lines.h"

#include <gtest/gtest.h>

#include <string>

namespace hf::wire {
namespace {

std::string fault_of_task(std::string_view line) {
  const auto task = read_task_line(line, 3);
  return task ? "accepted" : task.error().message;
}

TEST(TaskLine, NeedsOnlyQuestionAndAnswer) {
  const auto task = read_task_line(R"({"question":"1 + 1?","answer":"#### 2","more":[]})", 3);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->id, "");
  EXPECT_EQ(task->category, "");
  EXPECT_EQ(task->question, "1 + 1?");
  EXPECT_EQ(task->answer, "#### 2");
}

TEST(TaskLine, TakesNumbersAsIdAndAnswer) {
  const auto task =
      read_task_line(R"({"id":17,"category":"sums","question":"1 - 3?","answer":-2})", 3);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->id, "17");
  EXPECT_EQ(task->category, "sums");
  EXPECT_EQ(task->answer, "-2");
}

TEST(TaskLine, PutsOptionsBelowTheQuestion) {
  const auto task =
      read_task_line(R"({"id":"a","question":"Who?","options":["he","she"],"answer":"B"})", 3);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->question, "Who?\nA) he\nB) she");
  EXPECT_EQ(task->answer, "B");
}

TEST(TaskLine, IsRefusedWithLineAndMember) {
  EXPECT_EQ(fault_of_task(R"({"answer":"2"})"), "line 3: question is missing.");
  EXPECT_EQ(fault_of_task(R"({"question":" \n","answer":"2"})"),
            "line 3: question is \" \\n\", but must not be blank.");
  EXPECT_EQ(fault_of_task(R"({"question":"1 + 1?"})"), "line 3: answer is missing.");
  EXPECT_EQ(fault_of_task(R"({"question":"1 + 1?","answer":[2]})"),
            "line 3: answer is [2], but must be a text.");
  EXPECT_EQ(fault_of_task(R"({"id":"","question":"1 + 1?","answer":2})"),
            "line 3: id is \"\", but must not be empty.");
  EXPECT_EQ(fault_of_task(R"({"category":1,"question":"1 + 1?","answer":2})"),
            "line 3: category is 1, but must be a text.");
  EXPECT_EQ(fault_of_task(R"({"question":"Who?","options":["he"],"answer":"he"})"),
            "line 3: answer is \"he\", but must be a letter from A to A.");
  EXPECT_EQ(fault_of_task(R"({"question":"Who?","options":[],"answer":"A"})"),
            "line 3: options is [], but must have 1 to 26 entries.");
  EXPECT_TRUE(fault_of_task("{").starts_with("line 3: "));
  EXPECT_EQ(
      fault_of_task(R"({"answer":"2","question":")" + std::string(kTaskBytesMax + 1, 'x') + "\"}"),
      "line 3: question is longer than 131072 bytes.");
}

}  // namespace
}  // namespace hf::wire
