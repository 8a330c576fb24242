// Goal: a flow is read as it is written, and a mistake in it names its line.
// Method: small pages, good and bad.
#include "sim/flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hf::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(Flow, IsReadAsWritten) {
  const auto flow = parse_flow(
      "# A comment.\n"
      "endpoint a tier=cloud slots=3 first=5ms token=250us price=2/0.5/8\n"
      "endpoint b\n"
      "options policy=random share=0.25 planner=b usd=0.5 fallback=none bill=7ms\n"
      "query 4 at=1s usd=0.01 tokens=99 deadline=2s mode=given seed=8 cancel=3ms\n"
      "plan 4 end=9ms sink=y pruned=x outcome=truncated\n"
      "step 4 x at=1ms role=explain expected=20 bytes=12 difficulty=3\n"
      "step 4 y rely=x\n"
      "call endpoint=a job=x nth=2 fail=cut after=1ms retry_after=2s unbilled prompt=3\n"
      "---\n"
      "0 query 4\n");
  ASSERT_TRUE(flow) << flow.error().message;
  const WorldSpec& world = flow->world;
  ASSERT_EQ(world.endpoints.size(), 2U);
  EXPECT_EQ(world.endpoints[0].endpoint.tier, Tier::kCloud);
  EXPECT_EQ(world.endpoints[0].endpoint.max_in_flight, 3U);
  EXPECT_EQ(world.endpoints[0].per_token, microseconds(250));
  EXPECT_EQ(world.endpoints[0].endpoint.price.completion, PicoUsd(8'000'000));
  EXPECT_EQ(world.options.planner, EndpointId{1});
  EXPECT_EQ(world.options.fallback, Fallback::kNone);
  EXPECT_EQ(world.bill_delay, milliseconds(7));
  ASSERT_EQ(world.queries.size(), 1U);
  const QueryScript& query = world.queries[0];
  EXPECT_EQ(query.id, QueryId{4});
  EXPECT_TRUE(query.plan_given);
  EXPECT_EQ(query.budget.usd, PicoUsd(10'000'000'000));
  EXPECT_EQ(query.budget.deadline, seconds(2));
  EXPECT_EQ(query.cancel_at, milliseconds(3));
  const PlanScript& plan = query.plans.at(0);
  EXPECT_EQ(plan.sink, SubtaskId{1});
  EXPECT_THAT(plan.pruned, testing::ElementsAre(SubtaskId{0}));
  EXPECT_EQ(plan.outcome, PlanOutcome::kTruncated);
  EXPECT_THAT(plan.steps.at(1).subtask.relies_on, testing::ElementsAre(SubtaskId{0}));
  EXPECT_EQ(plan.steps.at(0).difficulty, 3);
  const CallRule& rule = world.rules.at(0);
  EXPECT_EQ(rule.failure, Failure::kCut);
  EXPECT_FALSE(rule.is_billable);
  EXPECT_EQ(rule.usage->prompt, Tokens(3));
  EXPECT_EQ(flow->expected, "0 query 4\n");
}

TEST(Flow, NamesTheLineOfAMistake) {
  const auto trouble = [](const std::string& line) {
    const auto flow = parse_flow("endpoint a\nquery 1\nplan 1\n" + line + "\n");
    return flow ? std::string() : flow.error().message;
  };
  EXPECT_EQ(trouble("frobnicate 1"), "Line 4: 'frobnicate' is no kind of line.");
  EXPECT_EQ(trouble("query 2 budget=1"), "Line 4: it does not know 'budget'.");
  EXPECT_EQ(trouble("query 2 at=soon"), "Line 4: 'soon' is no value for 'at'.");
  EXPECT_EQ(trouble("query 2 at=5"), "Line 4: '5' is no value for 'at'.");
  EXPECT_EQ(trouble("plan 7"), "Line 4: there is no query '7' above.");
  EXPECT_EQ(trouble("step 1 b rely=z"), "Line 4: there is no step 'z' above.");
  EXPECT_EQ(trouble("plan 1 outcome=good"),
            "Line 4: an outcome is complete, truncated or useless.");
  EXPECT_EQ(trouble("call fail=badly"), "Line 4: it does not know this way to fail.");
  EXPECT_EQ(trouble("endpoint c price=1/2"), "Line 4: a price is prompt/cached/completion.");
}

TEST(Flow, NeedsAnEndpointAndAPlanForEveryPlannedQuery) {
  EXPECT_THAT(parse_flow("query 1 mode=whole\n").error().message, HasSubstr("no endpoint"));
  EXPECT_THAT(parse_flow("endpoint a\nquery 1\n").error().message, HasSubstr("plan line"));
}

}  // namespace
}  // namespace hf::sim
