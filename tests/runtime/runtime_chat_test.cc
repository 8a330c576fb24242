// Goal: a chat reaches its prompts, and what the caller wants of the answer reaches the answer.
// Method: the whole runtime over loopback against endpoints that keep what they are asked.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/run_id.h"
#include "runtime_fixture.h"

namespace hf {
namespace {

UserQuery chat_query(PlanMode plan) {
  UserQuery query;
  query.question = "How many fruits are there?";
  query.messages = {{"system", "You are a grocer."}, {"user", query.question}};
  query.plan = plan;
  query.style = {
      .max_tokens = Tokens(40), .temperature = 0.9, .top_p = 0.5, .seed = 77, .stop = {"###"}};
  return query;
}

TEST_F(RuntimeTest, AWholeChatGoesOutAsItCame) {
  ScriptedEndpoint edge(
      loop_, [](const Asked&, const Answer& answer) { stream(*answer, "There are seven."); });
  ask(edge, chat_query(PlanMode::kNever));
  ASSERT_EQ(edge.asked().size(), 1U);
  const wire::ChatRequest& asked = edge.asked()[0].chat;
  EXPECT_EQ(asked.messages, chat_query(PlanMode::kNever).messages);
  EXPECT_EQ(asked.max_tokens, Tokens(40));
  EXPECT_EQ(asked.temperature, 0.9);
  EXPECT_EQ(asked.top_p, 0.5);
  EXPECT_EQ(asked.seed, 77U);
  EXPECT_EQ(asked.stop, std::vector<std::string>{"###"});
  EXPECT_EQ(view_.receipt.answer, "There are seven.");
}

TEST_F(RuntimeTest, EveryPromptOfAPlanHasTheContextAndOnlyTheAnswerItsStyle) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    stream(*answer, asked.is_plan() ? "<Plan>" + kFirst + kLast + "</Plan>" : "text");
  });
  UserQuery query = chat_query(PlanMode::kAlways);
  ask(edge, std::move(query));
  ASSERT_EQ(edge.asked().size(), 3U);
  for (const Asked& asked : edge.asked()) {
    EXPECT_TRUE(asked.prompt().contains("system: You are a grocer.\n")) << asked.prompt();
    EXPECT_TRUE(asked.prompt().contains("How many fruits are there?"));
    const bool is_answer = asked.prompt().contains("Task: What is the sum?");
    EXPECT_EQ(asked.chat.temperature == 0.9, is_answer);
    EXPECT_EQ(asked.chat.max_tokens == Tokens(40), is_answer);
    EXPECT_EQ(asked.chat.seed == 77U, is_answer);
    EXPECT_EQ(asked.chat.stop == std::vector<std::string>{"###"}, is_answer);
  }
}

TEST_F(RuntimeTest, ARunIsCalledAsTheCallerSays) {
  ScriptedEndpoint edge(loop_,
                        [](const Asked&, const Answer& answer) { stream(*answer, "Seven."); });
  UserQuery query = chat_query(PlanMode::kNever);
  query.run = make_run_id();
  const std::string run = query.run;
  ask(edge, std::move(query));
  EXPECT_EQ(view_.receipt.run, run);
}

TEST_F(RuntimeTest, AQueryGoesNowhereButWhereItMay) {
  ScriptedEndpoint edge(loop_, [](const Asked&, const Answer&) { FAIL() << "not there"; });
  ScriptedEndpoint cloud(loop_,
                         [](const Asked&, const Answer& answer) { stream(*answer, "Seven."); });
  start({remote("edge", Tier::kEdge, edge), remote("cloud", Tier::kCloud, cloud)}, "edge");
  UserQuery query = chat_query(PlanMode::kNever);
  query.among = {EndpointId{1}};
  ask(edge, std::move(query));
  EXPECT_EQ(view_.receipt.answer, "Seven.");
  EXPECT_EQ(cloud.asked().size(), 1U);
}

TEST(RunIds, AreDifferentAndSortByTime) {
  const std::string first = make_run_id();
  EXPECT_EQ(first.size(), 26U);
  EXPECT_EQ(first.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
  const std::string second = make_run_id();
  EXPECT_NE(first, second);
  EXPECT_LE(first.substr(0, 10), second.substr(0, 10));
}

}  // namespace
}  // namespace hf
