// What the scheduler keeps for each query: plain data, changed by Scheduler::Impl only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "graph/graph.h"
#include "health/retry_budget.h"
#include "ledger/ledger.h"
#include "model/receipt.h"
#include "model/subtask.h"

namespace hf {

// In the place of a node's index: the making of the plan.
inline constexpr std::uint32_t kPlanJob = UINT32_MAX;

// Something that needs one successful call: the plan, or a subtask.
struct Job {
  bool is_queued = false;               // Looking for a place.
  bool waits_for_money = false;         // Decided, but it cannot be afforded now.
  bool has_partial = false;             // A call of it broke off in the middle of its text.
  std::optional<Tier> tier;             // Where it was started first.
  std::optional<EndpointId> waits_for;  // Decided, but that one has no free place.
  std::int64_t priority = 0;            // While it is queued.
  std::optional<CallId> call;           // The one that is running.
  std::optional<CallId> hedge;          // Its rival; only beside a `call`.
  std::optional<std::uint64_t> hedge_timer;
  std::optional<std::uint64_t> timer;  // The end of the back-off.
  std::uint32_t failures = 0;
  std::vector<std::uint32_t> tries;  // Failed ones by endpoint; empty before the first failure.
  std::string trouble;               // Of the last failure.
};

struct Node : Job {
  std::uint32_t task_bytes = 0;
  std::uint32_t output_bytes = 0;
  TaskFeatures features;
  std::uint32_t inputs_left = 0;  // Not yet ended; for the answer also the plan itself.
  std::uint32_t depth = 0;
  bool is_attempt = false;           // What runs is looked at before it stands.
  bool is_settled = false;           // The router was told of its last decision.
  bool is_move_noted = false;        // That it ran on the edge for want of money or of a cloud.
  std::unique_ptr<Refusal> refusal;  // Why it was left out, if for want of money.
};

// What a failed planner call leaves for the moment when it is known what it wrote.
struct PlannerFailure {
  EndpointId endpoint{};
  CallId call{};
  Failure failure = Failure::kNone;
  std::optional<Duration> retry_after;
};

// What every event looks at comes first, to lie in few lines of the cache.
struct Query {
  QueryId id{};
  std::uint64_t arrival_order = 0;
  TimePoint arrived{};
  ScopeId scope{};
  AccountId account{};
  std::uint32_t question_bytes = 0;
  bool is_plan_open = false;  // Steps and the end of the plan are still expected.
  bool is_plan_given = false;
  bool is_local_only = false;
  bool is_replan = false;  // The first plan was useless; this is the second try.
  bool is_whole = false;   // The question goes out as it came.
  bool is_forwarded = false;
  bool is_cap_fixed = false;
  RetryBudget retries;
  std::uint32_t queued = 0;   // Jobs that look for a place.
  std::uint32_t running = 0;  // Calls.
  Tokens work_total;
  Tokens work_done;

  Graph graph;
  std::vector<Node> nodes;
  std::vector<Graph::Path> paths;  // Of the graph; stale while shorter than it.
  RunRecord record;

  std::uint64_t seed = 0;
  std::vector<EndpointId> among;  // The only ones that may be used; empty: all.
  Tokens answer_tokens_max;
  std::optional<TimePoint> soft;  // From here on only the answer matters.
  std::optional<TimePoint> hard;
  std::optional<std::uint64_t> soft_timer;
  std::optional<std::uint64_t> hard_timer;
  TaskFeatures features;
  Job planner;
  std::optional<PlannerFailure> planner_failure;

  [[nodiscard]] bool is_over() const { return record.outcome.has_value(); }
  [[nodiscard]] Job& job(std::uint32_t index) { return index == kPlanJob ? planner : nodes[index]; }
  [[nodiscard]] bool is_sink(std::uint32_t index) const {
    return record.sink && index_of(*record.sink) == index;
  }
  [[nodiscard]] SubtaskState state(std::uint32_t index) const {
    return record.subtasks[index].state;
  }
};

// Makes it a new one that keeps the memory of the old.
inline void renew(Query& query) {
  Query empty;
  const auto keep = [](auto& from, auto& to) {
    from.clear();
    to = std::move(from);
  };
  keep(query.graph, empty.graph);
  keep(query.nodes, empty.nodes);
  keep(query.paths, empty.paths);
  keep(query.record.degraded, empty.record.degraded);
  keep(query.record.subtasks, empty.record.subtasks);
  keep(query.record.calls, empty.record.calls);
  query = std::move(empty);
}

[[nodiscard]] constexpr bool is_terminal(SubtaskState state) {
  return state != SubtaskState::kWaiting && state != SubtaskState::kReady &&
         state != SubtaskState::kRunning;
}

}  // namespace hf
