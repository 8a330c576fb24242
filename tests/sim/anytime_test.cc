// Goal: with a healthy edge and a deadline of at least five times one edge answer, there is an
// answer by the deadline, whatever the cloud, the planner and the plan do; twice is enough once the
// edge's speed is known.
// Method: random graphs, plans that come slowly, late or not at all, clouds that fail, hang or are
// slow, and every policy; in virtual time, to the nanosecond.
//
// The slack of five: a fifth of the deadline is kept for the answer while nothing is known.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "graph/graph.h"
#include "sim/world.h"

namespace hf::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kAnswerTokens = 40;  // What a world's answers take, and the cap.

int between(int low, int high) {
  return *rc::gen::inRange(low, high + 1);
}

PlanScript some_plan(Duration deadline) {
  PlanScript plan;
  Graph graph;
  const int steps = between(1, 8);
  Duration at{};
  for (int i = 0; i < steps; ++i) {
    at += deadline * between(0, 40) / 100;
    StepScript step;
    step.at = at;
    step.label = fmt::format("s{}", i);
    step.subtask.role = i + 1 == steps ? Role::kGenerate : Role::kAnalyze;
    step.subtask.expected = Tokens(between(1, static_cast<int>(kAnswerTokens)));
    for (int input = 0; input < i; ++input) {
      if (between(0, 2) == 0) step.subtask.relies_on.push_back(static_cast<SubtaskId>(input));
    }
    graph.add(step.subtask);
    plan.steps.push_back(std::move(step));
  }
  plan.end = plan.call_end = at + deadline * between(0, 100) / 100;
  if (between(0, 4) == 0) {
    plan.outcome = PlanOutcome::kUseless;
    plan.steps.clear();
    return plan;
  }
  plan.sink = static_cast<SubtaskId>(steps - 1);
  plan.pruned = graph.not_reaching(*plan.sink);
  return plan;
}

// One edge that works and a cloud that may not; `times` edge answers fit into the deadline.
WorldSpec some_world(int times, Duration& deadline) {
  WorldSpec spec;
  EndpointScript edge{
      .endpoint = {.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 4},
      .first_token = milliseconds(between(1, 200)),
      .per_token = std::chrono::microseconds(between(100, 20'000))};
  EndpointScript cloud{
      .endpoint = {.name = "cloud", .tier = Tier::kCloud, .price = {}, .max_in_flight = 4},
      .first_token = milliseconds(between(1, 5'000)),
      .per_token = std::chrono::microseconds(between(100, 50'000))};
  deadline = (edge.first_token + edge.per_token * kAnswerTokens) * times +
             std::chrono::microseconds(between(0, 1'000'000));
  spec.endpoints = {edge, cloud};
  spec.policy = std::string(*rc::gen::elementOf(
      std::vector<std::string>{"edge", "cloud", "random", "fixed", "difficulty", "hybridflow"}));
  spec.options.subtask_max_tokens = Tokens(kAnswerTokens);
  spec.options.sink_max_tokens = Tokens(kAnswerTokens);
  const int rules = between(0, 3);
  for (int i = 0; i < rules; ++i) {
    spec.rules.push_back({.endpoint = "cloud",
                          .job = {},
                          .query = {},
                          .nth = static_cast<std::uint32_t>(between(0, 2)),
                          .failure = *rc::gen::elementOf(std::vector<Failure>{
                              Failure::kServer, Failure::kRateLimited, Failure::kCut,
                              Failure::kUnauthorized, Failure::kFirstTokenTimeout}),
                          .after = milliseconds(between(0, 20'000)),
                          .retry_after = {},
                          .usage = {}});
  }
  return spec;
}

QueryScript some_query(std::uint64_t id, Duration at, Duration deadline) {
  QueryScript query;
  query.id = QueryId{id};
  query.at = at;
  query.budget.deadline = deadline;
  query.plan = between(0, 4) != 0;
  query.plans = {some_plan(deadline)};
  query.seed = static_cast<std::uint64_t>(between(0, 1'000'000));
  return query;
}

bool is_answered(const RunRecord& record) {
  return record.outcome == Outcome::kAnswered || record.outcome == Outcome::kDegraded;
}

RC_GTEST_PROP(Anytime, OnTheEdgeAFifthOfTheDeadlineIsEnough, ()) {
  Duration deadline{};
  WorldSpec spec = some_world(5, deadline);
  spec.policy = "edge";
  spec.queries = {some_query(1, Duration(0), deadline)};
  World world(spec);
  const std::string trace = world.run();
  RC_LOG(trace);
  RC_ASSERT(world.violations().empty());
  RC_ASSERT(is_answered(world.record(QueryId{1})));
  RC_ASSERT(world.record(QueryId{1}).wall <= deadline);
}

RC_GTEST_PROP(Anytime, WhereTheEdgeIsKnownAnyPolicyHasAnAnswerInTime, ()) {
  Duration deadline{};
  WorldSpec spec = some_world(5, deadline);
  // Some answers on the edge alone, so that its speed is known.
  for (std::uint64_t i = 1; i <= 3; ++i) {
    QueryScript first;
    first.id = QueryId{i};
    first.plan = false;
    first.local_only = true;
    spec.queries.push_back(std::move(first));
  }
  spec.queries.push_back(some_query(9, std::chrono::hours(1), deadline));
  World world(spec);
  const std::string trace = world.run();
  RC_LOG(trace);
  RC_ASSERT(world.violations().empty());
  RC_ASSERT(is_answered(world.record(QueryId{9})));
  RC_ASSERT(world.record(QueryId{9}).wall <= deadline);
}

}  // namespace
}  // namespace hf::sim
