// What a world is asked while it runs: who comes, how a call goes, what breaks when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/budget.h"
#include "model/failure.h"
#include "model/plan.h"
#include "model/signals.h"
#include "model/subtask.h"
#include "model/usage.h"
#include "schedule/event.h"
#include "sim/fault.h"

namespace hf::sim {

struct StepScript {
  Duration at{};  // After the plan's beginning, or the arrival for a given plan.
  std::string label;
  Subtask subtask;
  std::uint32_t task_bytes = 40;
  std::uint8_t difficulty = 0;
  TaskFeatures features;  // But for the difficulty, which is above.
};

// What one planner call writes.
struct PlanScript {
  std::vector<StepScript> steps;
  Duration end{};       // When the plan's end is read.
  Duration call_end{};  // When the call itself ends; not before a failure that a rule makes.
  PlanOutcome outcome = PlanOutcome::kComplete;
  std::optional<SubtaskId> sink;
  std::vector<SubtaskId> pruned;
};

struct QueryScript {
  QueryId id{};
  Duration at{};                 // After time zero, or after the end of another query:
  std::optional<QueryId> after;  // of this one.
  Budget budget;
  AccountId account{};
  bool plan = true;
  bool plan_given = false;
  bool local_only = false;
  std::uint32_t question_bytes = 100;
  Tokens expected;  // Of the answer, if it goes out whole.
  TaskFeatures features;
  std::uint64_t seed = 0;
  std::vector<PlanScript> plans;  // One for each planner call that gets so far; the last one stays.
  std::optional<Duration> cancel_at;  // Counts like `at`.
};

// A call that is about to begin.
struct CallView {
  const StartCall& start;
  const QueryScript& query;
  const PlanScript* plan = nullptr;  // The one that a planner call writes.
  const StepScript* step = nullptr;  // Of the plan; neither for the plan itself nor for a whole.
  std::uint32_t nth = 1;             // Of its job at this endpoint.
  TimePoint now{};
  std::int64_t input_bytes = 0;  // Results of the inputs, with their tasks.
  bool is_well_informed = true;  // All the task's inputs are there, and right.
  bool is_down = false;          // The endpoint has crashed and is not back.
};

// How a call goes. Times count from its start.
struct Course {
  std::optional<Duration> first_token;
  Duration end{};
  Failure failure = Failure::kNone;
  std::optional<Duration> retry_after;
  std::optional<Usage> told;  // The usage it reports.
  bool is_billable = true;
  std::uint32_t output_bytes = 0;
  bool is_cut_by_length = false;
  bool is_right = true;
  std::optional<Signals> signals;      // What the endpoint says of its confidence.
  Duration plan_begins{};              // The times in the plan's script count from here.
  std::optional<Duration> plan_stops;  // If it fails: no step is read after this.
  std::optional<Duration> again;       // Its end is told once more, so much later.
  // If it is cancelled: it ends all the same, or what it cost is told so much later, or neither.
  bool ends_though_cancelled = false;
  std::optional<Duration> bill_delay;
  Usage so_far;  // What that bill says.
  // What is wrong with it, for the count of faults.
  std::optional<Fault> fault;
  std::optional<Fault> usage_fault;
};

struct Outage {
  Duration after{};
  Duration down{};
};
struct ClockJump {
  Duration after{};
  Duration by{};
};

// The process dies and comes back.
struct Death {
  Duration after{};            // Since the process began,
  std::uint32_t commands = 0;  // and having carried out so many commands more.
  bool is_written = false;     // Whether the transactions under way come through.
  Duration down{};
  Duration reconcile{};  // How long after it is back somebody reconciles.
};

class Behaviour {
 public:
  virtual ~Behaviour() = default;

  [[nodiscard]] virtual Course course(const CallView& call) = 0;
  // The next time an endpoint crashes, and the next jump of the clock; nothing: never again.
  [[nodiscard]] virtual std::optional<Outage> next_outage(EndpointId /*endpoint*/) { return {}; }
  [[nodiscard]] virtual std::optional<ClockJump> next_jump() { return {}; }
  // Where the budget is durable: when the process that begins now will die, how long the next
  // transaction takes, and how soon somebody whose query was lost asks again.
  [[nodiscard]] virtual std::optional<Death> next_death() { return {}; }
  [[nodiscard]] virtual Duration write_time() { return {}; }
  [[nodiscard]] virtual std::optional<Duration> asks_again(QueryId /*lost*/) { return {}; }
};

}  // namespace hf::sim
