// A small virtual world around the real scheduler: endpoints that follow a script, a clock that
// jumps from event to event, plans whose steps come at given times. It shows what the scheduler
// does as a text trace and checks after every event that no rule is broken (checker.h).
//
// It models no text and no network. Everything is a function of the specification: the same one
// gives the same trace, to the byte.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/budget.h"
#include "model/endpoint.h"
#include "model/plan.h"
#include "model/receipt.h"
#include "schedule/scheduler.h"

namespace hf::sim {

struct EndpointScript {
  Endpoint endpoint;
  Duration first_token{};
  Duration per_token{};
};

struct StepScript {
  Duration at{};  // After the planner call's start, or the arrival for a given plan.
  std::string label;
  Subtask subtask;
  std::uint32_t task_bytes = 40;
  std::uint8_t difficulty = 0;
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
  Duration at{};
  Budget budget;
  bool plan = true;
  bool plan_given = false;
  std::uint32_t question_bytes = 100;
  std::uint64_t seed = 0;
  std::vector<PlanScript> plans;  // One for each planner call that gets so far; the last one stays.
  std::optional<Duration> cancel_at;
};

// Makes some calls differ from what their endpoint would do.
struct CallRule {
  std::string endpoint;              // Empty: any.
  std::string job;                   // "plan", "whole" or a step's label; empty: any.
  std::optional<QueryId> query;      // Absent: any.
  std::uint32_t nth = 0;             // Of this job at this endpoint, from 1; 0: every one.
  Failure failure = Failure::kNone;  // kNone: it succeeds.
  std::optional<Duration> after;     // When it ends.
  std::optional<Duration> retry_after;
  bool is_billable = true;
  bool has_usage = true;
  std::optional<Usage> usage;  // What it reports instead of the truth.
};

struct WorldSpec {
  std::vector<EndpointScript> endpoints;
  Scheduler::Options options;  // `endpoints` is filled in from the above.
  std::string policy = "edge";
  PolicyOptions policy_options;
  std::vector<QueryScript> queries;
  std::vector<CallRule> rules;
  std::optional<Duration>
      bill_delay;  // Cancelled calls report their usage after it; absent: never.
};

class World {
 public:
  explicit World(WorldSpec spec);
  ~World();

  // Runs until nothing is left to happen. Returns the trace: one line an event or command, starting
  // with the time in milliseconds. Call once.
  std::string run();

  // The rules that were broken, one sentence each.
  [[nodiscard]] std::span<const std::string> violations() const;

  // Of a finished query; valid while the world lives.
  [[nodiscard]] const RunRecord& record(QueryId query) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hf::sim
