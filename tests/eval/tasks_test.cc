// Goal: a file of tasks is taken whole or refused with the line at fault; tasks have stable names.
// Method: small files, one fault each.
#include "eval/tasks.h"

#include <gtest/gtest.h>

#include <string>

#include "eval/text_file.h"
#include "folder.h"

namespace hf::eval {
namespace {

class Tasks : public WithFolder {
 protected:
  std::string fault(std::string_view text) const {
    const auto tasks = load_tasks(file("tasks.jsonl", text));
    if (tasks) return "accepted";
    return tasks.error().message.substr(path("tasks.jsonl").string().size());
  }
};

TEST_F(Tasks, AreReadInOrderFromPlainAndCompressedFiles) {
  const std::string text =
      "{\"question\":\"1 + 1?\",\"answer\":2}\n\n{\"id\":\"b\",\"question\":\"2?\",\"answer\":2}";
  ASSERT_TRUE(write_text_file(path("packed.gz"), text));
  for (const auto& name : {file("plain", text), path("packed.gz")}) {
    const auto tasks = load_tasks(name);
    ASSERT_TRUE(tasks) << tasks.error().message;
    ASSERT_EQ(tasks->size(), 2U);
    EXPECT_EQ((*tasks)[1].id, "b");
    // Files of outcomes name their queries so: it must never change.
    EXPECT_EQ((*tasks)[0].id, "task-a43420ac4aeda6be");
  }
}

TEST_F(Tasks, WithoutIdAreNamedAfterTheirQuestionAlone) {
  const auto one = load_tasks(file("one", R"({"question":"1 +  1?","answer":2,"category":"c"})"));
  const auto other = load_tasks(file("other", R"({"question":"1 + 1?","answer":3})"));
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->front().id, other->front().id);
}

TEST_F(Tasks, AreRefusedWithTheLine) {
  EXPECT_EQ(fault("{\"question\":\"1?\",\"answer\":1}\n{\"question\":\"2?\"}\n"),
            ": line 2: answer is missing.");
  EXPECT_EQ(
      fault("\n{\"question\":\"A b?\",\"answer\":1}\n{\"question\":\"a  B?\",\"answer\":2}\n"),
      ": lines 2 and 3 ask the same question; remove one of them.");
  EXPECT_EQ(fault(R"({"id":"x","question":"1?","answer":1}
{"id":"x","question":"2?","answer":2})"),
            ": lines 1 and 2 have the same id \"x\".");
  EXPECT_EQ(fault("{\"question\":\"1?\",\"answer\":\"" + std::string(100, 'x') + "\"}"),
            ": line 1: answer has no number, letter or short text to compare with.");
  EXPECT_EQ(fault(" \n"), ": there is no task in it.");
  EXPECT_FALSE(load_tasks(path("missing")));
}

}  // namespace
}  // namespace hf::eval
