// The record of one query: everything needed to audit it. Filled by the scheduler (numbers) and the
// driver (texts); turned into JSON by wire/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/budget.h"
#include "model/decision.h"
#include "model/endpoint.h"
#include "model/failure.h"
#include "model/plan.h"
#include "model/signals.h"
#include "model/subtask.h"
#include "model/usage.h"

namespace hf {

enum class Outcome : std::uint8_t {
  kAnswered,
  kDegraded,     // Answered, but something was left out; `degraded` says what.
  kRefused,      // The budget does not allow any way to answer.
  kDeadline,     // Time ran out before there was any answer.
  kUnavailable,  // No endpoint could answer.
  kCancelled,
};

enum class CallKind : std::uint8_t { kPlanner, kSubtask, kHedge };

enum class CallStatus : std::uint8_t { kRunning, kDone, kFailed, kCancelled };

// One call to one endpoint. Times count from the query's arrival.
struct CallRecord {
  CallId id{};
  CallKind kind = CallKind::kSubtask;
  std::optional<SubtaskId> subtask;
  EndpointId endpoint{};
  CallStatus status = CallStatus::kRunning;
  Failure failure = Failure::kNone;
  std::string detail;  // What the endpoint said, shortened and free of secrets.
  Duration started{};
  std::optional<Duration> first_token;
  Duration finished{};
  Usage usage;
  bool usage_estimated = false;  // The endpoint reported none; the reserved worst case stands in.
  bool cut_by_length = false;    // The answer reached its token cap.
  std::optional<Signals> signals;
  PicoUsd usd;
};

enum class SubtaskState : std::uint8_t {
  kWaiting,
  kReady,
  kRunning,
  kDone,
  kFailed,
  kSkipped,
  kPruned
};

struct SubtaskRecord {
  Subtask subtask;
  SubtaskState state = SubtaskState::kWaiting;
  std::optional<Decision> decision;  // The latest; absent if it never was dispatched.
  std::vector<Decision> earlier;     // Those that asked for an attempt, before `decision`.
  std::optional<Attempt> attempt;    // What was seen of the last one.
  std::string why_not_done;          // For kFailed, kSkipped and kPruned.
  Duration ready{};
  Duration started{};
  Duration finished{};
  std::uint32_t attempts = 0;
};

// What the scheduler knows of a query. Index of `subtasks` is SubtaskId.
struct RunRecord {
  QueryId query{};
  std::optional<Outcome> outcome;     // Absent while it runs.
  std::vector<std::string> degraded;  // One reason each.
  std::string trouble;                // For refused, deadline, unavailable: one sentence.
  std::optional<Refusal> refusal;     // For refused: whose budget says no.
  std::optional<SubtaskId> sink;
  std::vector<SubtaskRecord> subtasks;
  std::vector<CallRecord> calls;  // In the order in which they were started.
  Budget budget;
  BudgetState budget_state;  // At the end: nothing is held.
  Duration wall{};
};

// The whole record with its texts, as the user gets it.
struct Receipt {
  std::string run;  // Unique id, sortable by time.
  std::string policy;
  bool planned = false;  // The gate's verdict and why.
  std::string gate_reason;
  std::string plan_source;  // "planner", "file" or "none"; "none" also when a plan was useless.
  std::vector<PlannedStep> steps;
  std::vector<std::string> repairs;
  PlanEnd plan_end;
  std::vector<std::string> outputs;   // By SubtaskId; "" where none.
  std::vector<std::string> attempts;  // Of the edge, before it was decided again; the same way.
  std::string answer;
  std::vector<Endpoint> endpoints;  // By EndpointId, so that a receipt explains itself.
  RunRecord record;
};

}  // namespace hf
