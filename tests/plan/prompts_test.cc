// Goal: prompts carry what they must, share prefixes, stay within their bounds; the examples in
// them are plans that our own reader takes without a repair; the grammar says what it should.
// Method: build prompts with markers in place of the texts; expand the grammar's rules at random
// and read what comes out.
#include "plan/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>

#include "gbnf.h"
#include "plan_text.h"

namespace hf {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::uint32_t kTemplateBytesPerMessage = 48;  // "<|im_start|>assistant\n...<|im_end|>\n"

std::size_t overhead(const std::vector<ChatMessage>& messages, std::size_t given) {
  std::size_t bytes = kTemplateBytesPerMessage;  // What opens the answer.
  for (const ChatMessage& message : messages)
    bytes += message.content.size() + kTemplateBytesPerMessage;
  return bytes - given;
}

TEST(Prompts, StayWithinTheirBounds) {
  const std::string question(1000, 'q');
  const std::string task(300, 't');
  const std::size_t given = question.size() + task.size();
  EXPECT_LE(overhead(subtask_prompt(question, {}, task), given), kPromptOverheadBytes);
  EXPECT_LE(overhead(sink_prompt(question, {}, task), given), kPromptOverheadBytes);
  EXPECT_LE(overhead(whole_prompt(question), question.size()), kPromptOverheadBytes);
  EXPECT_LE(overhead(plan_prompt(question, ""), question.size()), kPlanOverheadBytes);
  EXPECT_LE(overhead(plan_prompt(question, std::string(5000, 'f')), question.size()),
            kPlanOverheadBytes);
}

TEST(Prompts, EachInputStaysWithinItsBound) {
  const std::string label(40, 'l');
  const PromptInput input{.label = label, .task = "task", .output = "output"};
  const std::vector<PromptInput> inputs(5, input);
  const auto bytes = [&](std::size_t count) {
    return overhead(sink_prompt("q", std::span(inputs).first(count), "t"), 2);
  };
  const std::size_t texts = input.task.size() + input.output.size();
  EXPECT_LE(bytes(1), kPromptOverheadBytes + texts + kInputOverheadBytes);
  for (std::size_t count = 1; count < inputs.size(); ++count) {
    EXPECT_LE(bytes(count + 1) - bytes(count), texts + kInputOverheadBytes);
  }
}

TEST(Prompts, SiblingsShareEverythingBeforeTheTask) {
  const std::vector<PromptInput> inputs = {{"1", "What is given?", "Three boxes."}};
  const auto a = subtask_prompt("The question", inputs, "Task a");
  const auto b = sink_prompt("The question", inputs, "Task b");
  ASSERT_EQ(a.size(), 2U);
  EXPECT_EQ(a[0], b[0]);
  const std::string shared = a[1].content.substr(0, a[1].content.find("Task a"));
  EXPECT_THAT(shared, HasSubstr("The question"));
  EXPECT_THAT(shared, HasSubstr("Three boxes."));
  EXPECT_LT(shared.find("The question"), shared.find("Three boxes."));
  EXPECT_THAT(b[1].content, StartsWith(shared));
  EXPECT_THAT(a[1].content, EndsWith("Task a"));
}

TEST(Prompts, WithoutInputsNothingSpeaksOfResults) {
  EXPECT_THAT(subtask_prompt("Q", {}, "T")[1].content, Not(HasSubstr("Results")));
}

TEST(Prompts, TheAnswerEndsInALineOfKnownForm) {
  EXPECT_THAT(sink_prompt("Q", {}, "T")[1].content, HasSubstr("\"Answer:\""));
  EXPECT_THAT(whole_prompt("What is 3 + 4?")[0].content, HasSubstr("\nAnswer: "));
  // A small model would answer small talk with the example.
  EXPECT_THAT(whole_prompt("Hello!")[0].content, Not(HasSubstr("Answer:")));
  EXPECT_EQ(whole_prompt("Q").back(), (ChatMessage{"user", "Q"}));
}

TEST(Prompts, TheSecondPlanPromptNamesTheFaultAndOnlyAdds) {
  const auto first = plan_prompt("Q", "");
  const auto second = plan_prompt("Q", "the plan was empty");
  EXPECT_EQ(first.back().content, "Q");
  EXPECT_THAT(second.back().content, StartsWith("Q"));
  EXPECT_THAT(second.back().content, HasSubstr("the plan was empty"));
  EXPECT_EQ(std::vector(first.begin(), first.end() - 1),
            std::vector(second.begin(), second.end() - 1));
}

TEST(Prompts, TheWorkedPlansAreWideAndPerfect) {
  int plans = 0;
  for (const ChatMessage& message : plan_prompt("Q", "")) {
    if (message.role != "assistant") continue;
    ++plans;
    const ReadPlan plan = read_plan(message.content);
    EXPECT_THAT(plan.repairs, IsEmpty());
    EXPECT_THAT(plan.end.pruned, IsEmpty());
    EXPECT_EQ(plan.end.outcome, PlanOutcome::kComplete);
    EXPECT_GE(plan.steps.back().subtask.relies_on.size(), 3U);
    EXPECT_LE(plan.steps.size(), 6U);
  }
  EXPECT_GE(plans, 2);
}

TEST(PlanGrammar, TheWorkedPlansFollowIt) {
  const Gbnf grammar(plan_grammar(7));
  for (const ChatMessage& message : plan_prompt("Q", "")) {
    if (message.role == "assistant") EXPECT_TRUE(grammar.accepts(message.content + "\n"));
  }
}

TEST(PlanGrammar, RefusesWhatIsNotAPlan) {
  const Gbnf grammar(plan_grammar(7));
  const auto plan = [](std::string_view rely, std::string_view task, int analyzes) {
    std::string text =
        "<Plan>\n<Step ID=\"1\" Role=\"explain\" Task=\"What is given?\" Rely=\"\" "
        "Token=\"9\" Difficulty=\"1\"/>\n";
    int id = 2;
    for (; id < 2 + analyzes; ++id) {
      text += fmt::format(
          "<Step ID=\"{}\" Role=\"analyze\" Task=\"{}\" Rely=\"{}\" Token=\"120\" "
          "Difficulty=\"5\"/>\n",
          id, task, rely);
    }
    return text + fmt::format(
                      "<Step ID=\"{}\" Role=\"generate\" Task=\"Answer it all\" Rely=\"1,{}\" "
                      "Token=\"50\" Difficulty=\"9\"/>\n</Plan>\n",
                      id, id - 1);
  };
  for (int analyzes = 1; analyzes <= 5; ++analyzes) {
    EXPECT_TRUE(grammar.accepts(plan("1", "Count the cats", analyzes))) << analyzes;
  }
  EXPECT_FALSE(grammar.accepts(plan("1", "Count the cats", 0)));
  EXPECT_FALSE(grammar.accepts(plan("1", "Count the cats", 6)));
  EXPECT_FALSE(grammar.accepts(plan("2", "Count the cats", 1)));
  EXPECT_FALSE(grammar.accepts(plan("1,1", "Count the cats", 1)));
  EXPECT_FALSE(grammar.accepts(plan("", "Count the cats", 1)));
  EXPECT_FALSE(grammar.accepts(plan("1", "Count", 1)));
  EXPECT_FALSE(grammar.accepts(plan("1", "Count the \\\"cats", 1)) &&
               grammar.accepts(plan("1", "Count the \"cats", 1)));
  EXPECT_FALSE(grammar.accepts(plan("1", "Count <b> cats", 1)));
  EXPECT_FALSE(grammar.accepts(plan("1", std::string(201, 'x'), 1)));
}

// Whatever a model makes of the grammar, the reader has nothing to repair but the shape of the
// graph.
RC_GTEST_PROP(PlanGrammar, WhateverItGeneratesIsReadWhole,
              (std::uint64_t seed, std::uint8_t size)) {
  const std::uint32_t max_steps = 2 + size % 9U;
  const std::string text = Gbnf(plan_grammar(max_steps)).sample(seed);
  PlanReader::Options options;
  options.max_steps = max_steps;
  const ReadPlan plan = read_plan(text, 0, options);
  RC_ASSERT(plan.end.outcome == PlanOutcome::kComplete);
  RC_ASSERT(plan.steps.size() >= 2U);
  RC_ASSERT(plan.steps.front().subtask.role == Role::kExplain);
  RC_ASSERT(plan.end.sink == plan.steps.back().id);
  for (const std::string& repair : plan.repairs) {
    RC_ASSERT(repair.find("pruned") != std::string::npos ||
              repair.find("merged") != std::string::npos);
  }
}

}  // namespace
}  // namespace hf
