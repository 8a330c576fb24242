// Goal: a query goes out as it should: steps start while the plan is still being written, texts
// reach the right prompts, and what breaks is asked for again.
// Method: the whole runtime over loopback against endpoints whose answers the test holds back
// until it has seen what must come first.
#include "runtime/runtime.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime_fixture.h"

namespace hf {
namespace {

TEST_F(RuntimeTest, AStepStartsWhileThePlanIsStillBeingWritten) {
  // Each part of the plan comes only after the call of the step before has: a runtime that waited
  // for the plan's end would wait for ever.
  Answer plan;
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    if (asked.is_plan()) {
      plan = answer;
      begin_stream(*plan);
      plan->write(text_frame("<Plan>\n" + kFirst));
    } else if (asked.prompt().contains("Task: What is given?")) {
      stream(*answer, "Apples and plums.");
      plan->write(text_frame(kSecond));
    } else if (asked.prompt().contains("Task: What does Ann have?")) {
      stream(*answer, "Three.");
      plan->write(text_frame(kThird + kLast + "</Plan>\n"));
      end_stream(*plan);
    } else if (asked.prompt().contains("Task: What does Ben have?")) {
      stream(*answer, "Four.");
    } else {
      stream(*answer, "Seven.");
    }
  });
  ask(edge, query(PlanMode::kAlways));
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kAnswered);
  EXPECT_EQ(view_.receipt.answer, "Seven.");
  EXPECT_EQ(view_.answer, "Seven.");
  EXPECT_EQ(view_.receipt.plan_source, "planner");
  EXPECT_EQ(view_.steps, (std::vector<std::string>{"1", "2", "3", "4"}));
  EXPECT_EQ(view_.calls, 5);
  ASSERT_EQ(view_.plan_ends.size(), 1U);
  EXPECT_EQ(view_.plan_ends[0].outcome, PlanOutcome::kComplete);
  EXPECT_EQ(view_.receipt.outputs,
            (std::vector<std::string>{"Apples and plums.", "Three.", "Four.", "Seven."}));
  for (const CallRecord& call : view_.receipt.record.calls) {
    EXPECT_EQ(call.status, CallStatus::kDone);
    EXPECT_EQ(call.usage.total(), Tokens(109));
    EXPECT_TRUE(call.first_token.has_value());
  }
}

TEST_F(RuntimeTest, APromptHoldsTheResultsOfItsInputsAndOfNothingElse) {
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    if (asked.is_plan())
      return stream(*answer, "<Plan>" + kFirst + kSecond + kThird + kLast + "</Plan>");
    const std::string& prompt = asked.prompt();
    if (prompt.contains("Task: What is given?")) return stream(*answer, "OUT-1");
    if (prompt.contains("Task: What does Ann have?")) return stream(*answer, "OUT-2");
    if (prompt.contains("Task: What does Ben have?")) return stream(*answer, "OUT-3");
    EXPECT_FALSE(prompt.contains("OUT-1"));
    EXPECT_TRUE(prompt.contains("OUT-2"));
    EXPECT_TRUE(prompt.contains("OUT-3"));
    EXPECT_TRUE(prompt.contains("How many fruits are there?"));
    stream(*answer, "OUT-4");
  });
  ask(edge, query(PlanMode::kAlways));
  EXPECT_EQ(view_.receipt.answer, "OUT-4");
  ASSERT_EQ(edge.asked().size(), 5U);
  for (const Asked& asked : edge.asked()) {
    if (asked.prompt().contains("Task: What does Ann have?")) {
      EXPECT_TRUE(asked.prompt().contains("OUT-1"));
      EXPECT_FALSE(asked.prompt().contains("OUT-3"));
    }
  }
}

TEST_F(RuntimeTest, RequestsCarryModelKeySeedAndLimits) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    stream(*answer, asked.is_plan() ? "<Plan>" + kFirst + kSecond : "text");
  });
  EndpointConfig endpoint = remote("edge", Tier::kEdge, edge);
  endpoint.api_key = "secret";
  start({endpoint});
  ask(edge, query(PlanMode::kAlways));
  ASSERT_GE(edge.asked().size(), 2U);
  const Asked& plan = edge.asked().front();
  EXPECT_EQ(plan.chat.model, "edge");
  EXPECT_TRUE(plan.chat.stream);
  EXPECT_TRUE(plan.chat.include_usage);
  EXPECT_EQ(plan.chat.temperature, 0.0);
  EXPECT_EQ(plan.chat.max_tokens, Tokens(600));
  EXPECT_EQ(plan.chat.stop, (std::vector<std::string>{"</Plan>"}));
  EXPECT_EQ(plan.chat.grammar, "");
  EXPECT_EQ(plan.request.header("authorization"), "Bearer secret");
  EXPECT_EQ(plan.request.header("content-type"), "application/json");
  const Asked& step = edge.asked().back();
  EXPECT_TRUE(step.chat.stop.empty());
  ASSERT_TRUE(step.chat.max_tokens.has_value());
  EXPECT_LE(*step.chat.max_tokens, Tokens(512));
  EXPECT_NE(step.chat.seed, plan.chat.seed);
  EXPECT_LE(step.chat.seed.value_or(~0ULL), 0x7FFFFFFFU);
  // The stop word took the end tag with it; the plan is complete all the same.
  EXPECT_EQ(view_.plan_ends.at(0).outcome, PlanOutcome::kComplete);
}

TEST_F(RuntimeTest, APlannerThatTakesGrammarsGetsOneInsteadOfAStopWord) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    stream(*answer, asked.is_plan() ? "<Plan>" + kFirst + kSecond + "</Plan>" : "text");
  });
  EndpointConfig endpoint = remote("edge", Tier::kEdge, edge);
  endpoint.accepts_grammar = true;
  start({endpoint});
  ask(edge, query(PlanMode::kAlways));
  EXPECT_NE(edge.asked().front().chat.grammar, "");
  EXPECT_TRUE(edge.asked().front().chat.stop.empty());
  EXPECT_EQ(edge.asked().back().chat.grammar, "");
}

TEST_F(RuntimeTest, APlanCutAtItsTokenCapIsUsedAsFarAsItCame) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    if (!asked.is_plan()) return stream(*answer, "text");
    begin_stream(*answer);
    answer->write(text_frame("<Plan>" + kFirst + kSecond + "<Step ID=\"3\" Ro") +
                  finish_frame("length") + std::string(wire::kSseDone));
    answer->end();
  });
  ask(edge, query(PlanMode::kAlways));
  EXPECT_EQ(view_.plan_ends.at(0).outcome, PlanOutcome::kTruncated);
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kDegraded);
  EXPECT_EQ(view_.receipt.answer, "text");
}

TEST_F(RuntimeTest, AUselessPlanIsAskedForAgainWithItsFault) {
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    if (!asked.is_plan()) return stream(*answer, "text");
    stream(*answer, view_.plan_ends.empty() ? "I cannot plan." : "<Plan>" + kFirst + kSecond);
  });
  ask(edge, query(PlanMode::kAlways));
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kAnswered);
  EXPECT_EQ(view_.receipt.plan_source, "planner");
  EXPECT_TRUE(edge.asked().at(1).prompt().contains("could not be used"));
  EXPECT_GT(edge.asked().at(1).chat.temperature.value_or(0), 0);
}

TEST_F(RuntimeTest, APlannerThatFailsIsReplacedByAnother) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_TRUE(asked.is_plan());
    answer->send(401, "text/plain", "who are you");
  });
  ScriptedEndpoint cloud(loop_, [](const Asked& asked, const Answer& answer) {
    stream(*answer, asked.is_plan() ? "<Plan>" + kFirst + kSecond : "from the cloud");
  });
  start({remote("edge", Tier::kEdge, edge), remote("cloud", Tier::kCloud, cloud)}, "cloud");
  runtime_->submit(query(PlanMode::kAlways), view_);
  turn(loop_);
  EXPECT_EQ(view_.receipt.answer, "from the cloud");
  EXPECT_EQ(view_.receipt.plan_source, "planner");
  const std::vector<CallRecord>& calls = view_.receipt.record.calls;
  // The plan has no last step of its own, so one is added.
  ASSERT_EQ(calls.size(), 5U);
  EXPECT_EQ(calls[0].failure, Failure::kUnauthorized);
  EXPECT_EQ(calls[1].kind, CallKind::kPlanner);
  EXPECT_EQ(calls[1].endpoint, EndpointId(1));
  // Per call 100 tokens at $2 and 9 at $8 per million.
  EXPECT_EQ(view_.receipt.record.budget_state.spent.usd, PicoUsd(4 * (200'000'000 + 72'000'000)));
}

TEST_F(RuntimeTest, AnAnswerThatBreaksOffIsBegunAgain) {
  int tries = 0;
  ScriptedEndpoint edge(loop_, [&](const Asked&, const Answer& answer) {
    if (++tries > 1) return stream(*answer, "whole answer");
    begin_stream(*answer);
    answer->write(text_frame("half an"));
  });
  ask(edge, query(PlanMode::kNever));
  EXPECT_EQ(view_.answer, "half an|whole answer");
  EXPECT_EQ(view_.receipt.answer, "whole answer");
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kAnswered);
  ASSERT_EQ(view_.receipt.record.calls.size(), 2U);
  EXPECT_EQ(view_.receipt.record.calls[0].failure, Failure::kCut);
  EXPECT_NE(edge.asked().at(0).chat.seed, edge.asked().at(1).chat.seed);
}

TEST_F(RuntimeTest, TheBrokenAnswerOfAPlansLastStepIsBegunAgainToo) {
  int tries = 0;
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    if (asked.is_plan()) return stream(*answer, "<Plan>" + kFirst + kSecond + kThird + kLast);
    if (!asked.prompt().contains("Task: What is the sum?")) return stream(*answer, "part");
    if (++tries > 1) return stream(*answer, "whole answer");
    begin_stream(*answer);
    answer->write(text_frame("half an"));
  });
  ask(edge, query(PlanMode::kAlways));
  EXPECT_EQ(view_.answer, "half an|whole answer");
  EXPECT_EQ(view_.receipt.answer, "whole answer");
}

TEST_F(RuntimeTest, TwoQueriesAtOnceDoNotMix) {
  std::map<std::string, Answer> plans;
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    const std::string prompt = asked.prompt();
    const std::string mark = prompt.contains("RED") ? "RED" : "BLUE";
    EXPECT_NE(prompt.contains("RED"), prompt.contains("BLUE"));
    if (!asked.is_plan()) return stream(*answer, "result " + mark);
    plans[mark] = answer;
    begin_stream(*answer);
    if (plans.size() < 2) return;
    // Both are open now; their plans come in turns.
    for (const std::string& tag : {"<Plan>" + kFirst, kSecond, kThird, kLast}) {
      for (const auto& [name, each] : plans) each->write(text_frame(tag));
    }
    for (const auto& [name, each] : plans) end_stream(*each);
  });
  Watcher other(loop_);
  view_.stops_loop = other.stops_loop = false;
  start({remote("edge", Tier::kEdge, edge)});
  const QueryId red = runtime_->submit(query(PlanMode::kAlways, "RED, and how many?"), view_);
  const QueryId blue = runtime_->submit(query(PlanMode::kAlways, "BLUE, and how many?"), other);
  EXPECT_NE(red, blue);
  turn_until(loop_, [&] { return view_.finishes + other.finishes == 2; });
  EXPECT_EQ(view_.receipt.answer, "result RED");
  EXPECT_EQ(view_.answer, "result RED");
  EXPECT_EQ(other.receipt.answer, "result BLUE");
  EXPECT_EQ(other.answer, "result BLUE");
  EXPECT_EQ(view_.calls, 5);
  EXPECT_EQ(other.calls, 5);
  EXPECT_EQ(view_.receipt.record.query, red);
  EXPECT_NE(view_.receipt.run, other.receipt.run);
}

GivenPlan given_plan() {
  GivenPlan plan;
  plan.steps.push_back({.id = SubtaskId(0),
                        .label = "a",
                        .subtask = {.role = Role::kExplain, .relies_on = {}, .expected = {}},
                        .task = "What is given?"});
  plan.steps.push_back(
      {.id = SubtaskId(1),
       .label = "b",
       .subtask = {.role = Role::kGenerate, .relies_on = {SubtaskId(0)}, .expected = {}},
       .task = "So how many?"});
  plan.end = {.outcome = PlanOutcome::kComplete, .sink = SubtaskId(1), .pruned = {}, .fault = ""};
  plan.repairs = {"a repair"};
  return plan;
}

TEST_F(RuntimeTest, AGivenPlanIsRunWithoutAPlanner) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_FALSE(asked.is_plan());
    stream(*answer, asked.prompt().contains("Task: What is given?") ? "parts" : "sum");
  });
  UserQuery asked = query(PlanMode::kGiven);
  asked.given = given_plan();
  ask(edge, std::move(asked));
  EXPECT_EQ(view_.receipt.plan_source, "file");
  EXPECT_EQ(view_.receipt.answer, "sum");
  EXPECT_EQ(view_.receipt.repairs, (std::vector<std::string>{"a repair"}));
  EXPECT_EQ(view_.steps, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(edge.asked().size(), 2U);
}

TEST_F(RuntimeTest, AskingForThePlanAloneRunsNoStep) {
  ScriptedEndpoint edge(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_TRUE(asked.is_plan());
    stream(*answer, "<Plan>" + kFirst + kSecond + kThird + kLast);
  });
  UserQuery asked = query(PlanMode::kAlways);
  asked.only_plan = true;
  ask(edge, std::move(asked));
  EXPECT_EQ(edge.asked().size(), 1U);
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kCancelled);
  ASSERT_EQ(view_.receipt.steps.size(), 4U);
  EXPECT_EQ(view_.receipt.steps[3].task, "What is the sum?");
  EXPECT_EQ(view_.receipt.plan_end.sink, SubtaskId(3));
}

TEST_F(RuntimeTest, AQueryMayBeSubmittedFromACallback) {
  ScriptedEndpoint edge(
      loop_, [](const Asked& asked, const Answer& answer) { stream(*answer, asked.prompt()); });
  Watcher other(loop_);
  view_.stops_loop = false;
  start({remote("edge", Tier::kEdge, edge)});
  view_.during_text = [&] { runtime_->submit(query(PlanMode::kNever, "second"), other); };
  runtime_->submit(query(PlanMode::kNever, "first"), view_);
  turn_until(loop_, [&] { return view_.finishes + other.finishes == 2; });
  EXPECT_EQ(view_.receipt.answer, "first");
  EXPECT_EQ(other.receipt.answer, "second");
}

}  // namespace
}  // namespace hf
