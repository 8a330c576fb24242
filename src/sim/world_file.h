// A world as a file: endpoints and their faults, planner, graphs, arrivals, budgets, options.
// Strict TOML; docs/simulate.md explains every key. Data only: make_world (workload.h) turns it and
// a seed into the specification of one run.
//
// Thread safety: a value; reading it from several threads is fine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "route/router.h"
#include "schedule/scheduler.h"
#include "sim/draw.h"
#include "sim/fault.h"
#include "sim/traces.h"

namespace hf::sim {

struct EndpointModel {
  Endpoint endpoint;
  Draw slots;
  Draw first_token;
  Draw inter_token;
  std::vector<Latency> recorded;          // Instead of the two above, if there are any.
  std::uint32_t requests_per_minute = 0;  // 0: no limit.
  double right = 1;                       // Chance that it does a subtask right.
  Duration connect_timeout = std::chrono::seconds(5);
  Duration first_token_timeout = std::chrono::seconds(120);
  Duration gap_timeout = std::chrono::seconds(60);
  Duration total_timeout = std::chrono::seconds(600);
  FaultChances faults{};
  std::optional<Draw> crash_every;
  Draw crash_down;
};

struct PlannerModel {
  Draw steps_per_second = Draw::constant(2);
  Draw lingers;        // The call's end after the plan's.
  double useless = 0;  // Share of plans without a usable step.
  double truncated = 0;
  double given = 0;  // Share of queries whose plan comes with them.
  double whole = 0;  // Share of queries that are not split.
};

struct GraphModel {
  enum class Kind : std::uint8_t { kRandom, kGiven, kAsyncHow };
  Kind kind = Kind::kRandom;
  Draw steps = Draw::uniform(2, 7);
  double edges = 0.35;                   // Chance of each possible one.
  Draw tokens = Draw::uniform(40, 200);  // Of a step's answer, as planned.
  Draw answer_tokens = Draw::uniform(100, 300);
  Draw length = Draw::constant(1);  // Real length over the planned one.
  Draw task_bytes = Draw::uniform(40, 200);
  Draw question_bytes = Draw::uniform(100, 1500);
  std::vector<std::vector<std::vector<SubtaskId>>> given;  // Plans, steps, inputs.
  std::vector<RecordedGraph> recorded;
};

struct ArrivalModel {
  enum class Kind : std::uint8_t { kClosed, kPoisson, kRecorded };
  Kind kind = Kind::kPoisson;
  std::uint32_t queries = 1;  // In all; of each user in the closed loop.
  std::uint32_t users = 1;
  Draw think;             // Before each query of a user.
  double per_second = 1;  // Of a Poisson process.
  double speed = 1;       // How much faster than recorded.
  std::vector<RecordedArrival> recorded;
};

struct BudgetModel {
  std::optional<Draw> usd;  // Picodollars.
  std::optional<Draw> cloud_tokens;
  std::optional<Draw> deadline;
  double share = 1;  // Chance that a query has each of them.
  std::optional<Draw> process_usd;
  std::optional<Draw> process_cloud_tokens;
  double lease = 0;  // Share of the process budget that is at hand at first; 0: all of it.
  Draw lease_delay;
};

// Budgets that some queries share instead of the process's; every second is below the one before.
struct AccountModel {
  std::uint32_t count = 0;
  double share = 0;  // Of queries that have one.
  std::optional<Draw> usd;
  std::optional<Draw> cloud_tokens;
};

// Some runs keep the process budget in a store that outlives the process.
struct LedgerModel {
  double share = 0;           // Of runs.
  std::optional<Draw> above;  // A second scope's limits, in those of the first, which is below it.
  Draw write;                 // How long a transaction takes.
  std::optional<Draw> crash_every;
  Draw crash_down;
  Draw reconcile;    // After the process is back.
  double again = 0;  // Share of lost queries that are asked again.
  Draw again_after;
};

struct WorldFile {
  std::string name;
  std::vector<std::string> policies;  // One is drawn for each run.
  PolicyOptions policy_options;
  std::vector<EndpointModel> endpoints;
  PlannerModel planner;
  GraphModel graphs;
  ArrivalModel arrivals;
  BudgetModel budget;
  AccountModel accounts;
  LedgerModel ledger;
  double whole_right = 1;    // Factor of `right` for a question that was not split,
  double spoiled_right = 1;  // and where an input is missing or wrong.
  double local_only = 0;     // Share of queries that must stay local.
  double cancel = 0;         // Share of queries that are cancelled.
  Draw cancel_after;
  Draw slow_by = Draw::constant(1e10);
  Draw bill_delay = Draw::constant(1e8);
  std::optional<Draw> jump_every;
  Draw jump_by;
  Scheduler::Options options;  // Without endpoints and process budget.
};

// `file` is what errors call it: "chaos.toml:12:3: …".
[[nodiscard]] Result<WorldFile> read_world(std::string_view toml, std::string_view file);

}  // namespace hf::sim
