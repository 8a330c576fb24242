// Goal: a plan becomes calls as soon as it can, whatever it looks like and however it ends.
// Method: play the driver, event by event, and look at the commands and the record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/graph.h"
#include "harness.h"

namespace hf {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Planning, AsksThePlannerFirstAndStartsAStepBeforeThePlanEnds) {
  Harness h;
  h.arrive();
  const auto plan = h.only<StartCall>();
  EXPECT_EQ(plan.kind, CallKind::kPlanner);
  EXPECT_EQ(plan.prompt, Prompt::kPlan);
  EXPECT_EQ(plan.endpoint, kEdge);
  EXPECT_EQ(plan.max_tokens, Tokens(512));
  h.step(0, {}, Role::kExplain);
  const auto first = h.only<StartCall>();
  EXPECT_EQ(first.kind, CallKind::kSubtask);
  EXPECT_EQ(first.prompt, Prompt::kSubtask);
  EXPECT_THAT(first.inputs, IsEmpty());
  h.step(1, {0});
  EXPECT_THAT(h.commands, IsEmpty());
  h.finish_call(first.call);
  EXPECT_THAT(h.only<StartCall>().inputs, ElementsAre(node(0)));
}

TEST(Planning, AsksOnceMoreForAUselessPlanAndThenSendsTheQuestionWhole) {
  Harness h;
  h.arrive();
  h.finish_call(h.only<StartCall>().call);
  EXPECT_THAT(h.commands, IsEmpty());
  h.end_uselessly();
  const auto again = h.only<StartCall>();
  EXPECT_EQ(again.prompt, Prompt::kReplan);
  h.finish_call(again.call);
  h.end_uselessly();
  const auto whole = h.only<StartCall>();
  EXPECT_EQ(whole.prompt, Prompt::kWhole);
  EXPECT_EQ(whole.subtask, node(0));
  h.finish_call(whole.call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDegraded);
  EXPECT_EQ(h.record().sink, node(0));
}

TEST(Planning, TakesTheEndOfThePlanBeforeTheEndOfTheCall) {
  Harness h;
  h.arrive();
  const CallId plan = h.only<StartCall>().call;
  h.step(0, {}, Role::kGenerate);
  EXPECT_THAT(h.commands, IsEmpty());  // Only the plan's end tells that it is the answer.
  h.end_plan(0);
  const auto sink = h.only<StartCall>();
  EXPECT_EQ(sink.prompt, Prompt::kSink);
  h.finish_call(plan);
  h.finish_call(sink.call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
}

TEST(Planning, UsesAStepThatRanAsASubtaskWhenItTurnsOutToBeTheAnswer) {
  Harness h;
  h.arrive();
  const CallId plan = h.only<StartCall>().call;
  h.step(0, {});
  const CallId step = h.only<StartCall>().call;
  h.finish_call(plan);
  h.finish_call(step);
  h.end_plan(0);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
  EXPECT_THAT(h.all<StartCall>(), IsEmpty());
}

TEST(Planning, FailsTheQueryWhenTheAnswerHadFailedBeforeThePlanEnded) {
  Harness h("edge", with([](auto& o) {
              o.retry.attempts_max = 1;
              o.fallback = Fallback::kNone;
            }));
  h.arrive();
  h.step(0, {});
  h.fail_call(h.only<StartCall>().call, Failure::kRejected);
  EXPECT_EQ(h.state(0), SubtaskState::kFailed);
  h.end_plan(0);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_THAT(h.record().trouble, HasSubstr("it rejected the request (what it said)"));
}

TEST(Planning, SaysWhoseBudgetRefusedTheAnswerBeforeThePlanEnded) {
  Harness h("cloud", cloud_only());
  h.arrive_with_plan({.usd = PicoUsd(1'000), .cloud_tokens = {}, .deadline = {}});
  h.step(0, {});
  EXPECT_EQ(h.state(0), SubtaskState::kSkipped);
  h.end_plan(0);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  ASSERT_TRUE(h.record().refusal);
  EXPECT_EQ(h.record().refusal->limit, 1'000);
  EXPECT_GT(h.record().refusal->asked, 1'000);
}

TEST(Planning, StopsAndForgetsPrunedSteps) {
  Harness h;
  h.arrive_with_plan();
  h.step(0, {});
  h.step(1, {});
  const CallId pruned = h.only<StartCall>().call;
  h.step(2, {1});
  h.step(3, {0}, Role::kGenerate);
  h.end_plan(3, {1, 2});
  EXPECT_EQ(h.only<CancelCall>().call, pruned);
  EXPECT_EQ(h.state(1), SubtaskState::kPruned);
  EXPECT_EQ(h.state(2), SubtaskState::kPruned);
  h.finish_call(pruned);  // It was already on its way.
  EXPECT_THAT(h.commands, IsEmpty());
  EXPECT_EQ(h.state(1), SubtaskState::kPruned);
}

TEST(Planning, TriesThePlannerElsewhereAndThenSendsTheQuestionWhole) {
  Harness h("edge", with([](auto& o) { o.retry.attempts_max = 1; }));
  h.arrive();
  h.fail_call(h.only<StartCall>().call, Failure::kRefused);
  EXPECT_THAT(h.commands, IsEmpty());  // What it had written is known with the plan's end.
  h.end_uselessly();
  const auto second = h.only<StartCall>();
  EXPECT_EQ(second.endpoint, kCloud);
  EXPECT_EQ(second.prompt, Prompt::kPlan);
  h.fail_call(second.call, Failure::kServer);
  h.end_uselessly();
  EXPECT_EQ(h.only<StartCall>().prompt, Prompt::kWhole);
  EXPECT_THAT(h.record().degraded, ElementsAre(HasSubstr("cloud: it failed inside")));
}

TEST(Planning, UsesWhatATruncatedPlanHas) {
  Harness h;
  h.arrive();
  const CallId plan = h.only<StartCall>().call;
  h.step(0, {});
  const CallId step = h.only<StartCall>().call;
  h.fail_call(plan, Failure::kCut);
  h.end_plan(0, {}, PlanOutcome::kTruncated);
  EXPECT_THAT(h.commands, IsEmpty());
  h.finish_call(step);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDegraded);
}

TEST(Planning, GoesWholeWhenNoPlanCanBePaidFor) {
  Harness h("cloud", with([](auto& o) {
              o.fallback = Fallback::kNone;
              o.planner = kCloud;
            }));
  h.arrive({.budget = {.usd = PicoUsd(9'000'000'000), .cloud_tokens = {}, .deadline = {}},
            .features = {}});
  EXPECT_EQ(h.only<StartCall>().prompt, Prompt::kWhole);
  EXPECT_THAT(h.record().degraded, ElementsAre(HasSubstr("budget:")));
}

TEST(Planning, AsksNoPlannerForAGivenPlan) {
  Harness h;
  h.arrive_with_plan();
  EXPECT_THAT(h.commands, IsEmpty());
  h.end_uselessly();
  EXPECT_EQ(h.only<StartCall>().prompt, Prompt::kWhole);
}

TEST(Planning, SendsAnUnplannedQuestionWholeAtOnce) {
  Harness h;
  h.arrive_whole();
  const auto call = h.only<StartCall>();
  EXPECT_EQ(call.prompt, Prompt::kWhole);
  EXPECT_EQ(call.max_tokens, Tokens(512));
  h.finish_call(call.call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
}

TEST(Planning, CapsASubtaskByWhatThePlannerExpects) {
  Harness h;
  h.arrive_with_plan();
  h.step(0, {}, Role::kAnalyze, 1);
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(64));
  h.step(1, {}, Role::kAnalyze, 60);
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(152));
  h.step(2, {}, Role::kAnalyze, INT64_MAX);
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(256));
  h.step(3, {});
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(256));
}

TEST(Planning, RanksByTheLengthOfTheWayToTheEnd) {
  Scheduler::Options options;
  options.endpoints = {{.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 1}};
  Harness h("edge", options);
  h.arrive_with_plan();
  h.step(0, {}, Role::kExplain, 10);
  const CallId first = h.only<StartCall>().call;
  h.step(1, {}, Role::kAnalyze, 30);  // Short way.
  h.step(2, {}, Role::kAnalyze, 20);  // Long way, known only with step 3.
  h.step(3, {2}, Role::kAnalyze, 100);
  h.finish_call(first);
  const auto next = h.only<StartCall>();
  EXPECT_EQ(next.subtask, node(2));
  EXPECT_EQ(next.priority, 120);
}

// Every graph of up to five nodes whose last is the answer: with room for all, each node starts at
// the very moment its last input is done, and the whole takes as long as the longest chain.
TEST(Planning, StartsEveryNodeOfEverySmallGraphTheMomentItsInputsAreDone) {
  for (std::uint32_t size = 1; size <= 5; ++size) {
    const std::uint32_t pairs = size * (size - 1) / 2;
    for (std::uint32_t edges = 0; edges < (1U << pairs); ++edges) {
      Harness h;
      Graph graph;
      h.arrive_with_plan();
      std::vector<CallId> running;
      std::uint32_t bit = 0;
      const auto collect = [&] {
        for (const StartCall& start : h.all<StartCall>()) running.push_back(start.call);
      };
      for (std::uint32_t id = 0; id < size; ++id) {
        std::vector<std::uint32_t> inputs;
        Subtask subtask;
        for (std::uint32_t input = 0; input < id; ++input, ++bit) {
          if ((edges >> bit & 1U) == 0) continue;
          inputs.push_back(input);
          subtask.relies_on.push_back(node(input));
        }
        graph.add(subtask);
        h.step(id, inputs, id + 1 == size ? Role::kGenerate : Role::kAnalyze);
        collect();
      }
      std::vector<std::uint32_t> pruned;
      for (const SubtaskId id : graph.not_reaching(node(size - 1))) {
        pruned.push_back(static_cast<std::uint32_t>(id));
      }
      h.end_plan(size - 1, pruned);
      collect();
      for (std::size_t next = 0; next < running.size(); ++next) {  // One a tick.
        h.pass(milliseconds(1));
        h.finish_call(running[next]);
        collect();
      }
      const RunRecord& record = h.record();
      ASSERT_EQ(record.outcome, Outcome::kAnswered);
      for (std::uint32_t id = 0; id < size; ++id) {
        const SubtaskRecord& each = record.subtasks[id];
        const bool is_pruned = std::ranges::count(pruned, id) > 0;
        ASSERT_EQ(each.state, is_pruned ? SubtaskState::kPruned : SubtaskState::kDone);
        if (is_pruned) continue;
        Duration inputs_done{};
        for (const SubtaskId input : graph[node(id)].relies_on) {
          inputs_done = std::max(inputs_done, record.subtasks[index_of(input)].finished);
        }
        ASSERT_EQ(each.started, inputs_done);
        ASSERT_EQ(each.ready, inputs_done);
      }
    }
  }
}

}  // namespace
}  // namespace hf
