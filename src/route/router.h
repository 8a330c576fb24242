// Chooses the endpoint of a ready subtask at the moment of its dispatch.
//
// A policy is a pure function of what it is shown and of its own learned state: the same input and
// the same seed give the same decision, however often it is asked. It neither reserves nor sends;
// the scheduler does, and asks again with fewer candidates if the budget refuses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/budget.h"
#include "model/decision.h"
#include "model/endpoint.h"
#include "model/subtask.h"

namespace hf {

// One endpoint that could do it: healthy and not given up on. It may be busy: a subtask that is
// sent there waits for a place.
struct Candidate {
  EndpointId endpoint{};
  Tier tier = Tier::kEdge;
  PicoUsd expected_usd;
  Duration expected_time{};  // From the measured speed; zero while nothing is known.
  std::uint32_t in_flight = 0;
  std::uint32_t max_in_flight = 1;
};

struct RouteInput {
  QueryId query{};
  SubtaskId subtask{};
  Role role = Role::kAnalyze;
  bool is_whole_question = false;  // An unplanned query.
  TaskFeatures features;
  std::uint32_t depth = 0;       // Nodes on the longest chain above it.
  std::uint32_t dependants = 0;  // Direct ones.
  Tokens expected;               // Of the answer, by the planner's guess or the default.
  Tokens slack;                  // In tokens of the critical path.
  double progress = 0;           // Share of the plan's expected tokens that is done, 0..1.
  Duration elapsed{};            // Since the query arrived.
  std::optional<Duration> deadline;
  BudgetState budget;                     // The query's scope.
  std::uint64_t seed = 0;                 // Of the query.
  std::span<const Candidate> candidates;  // Not empty; in configuration order.
};

class Router {
 public:
  virtual ~Router() = default;

  // REQUIRES: at least one candidate. The result names one of them.
  [[nodiscard]] virtual Decision choose(const RouteInput& input) = 0;
};

// The policies by name: "edge", "cloud", "random", "fixed", "difficulty", "hybridflow".
[[nodiscard]] std::span<const std::string_view> policy_names();

struct PolicyOptions {
  double cloud_share = 0.5;     // random: probability of the cloud.
  double threshold = 0.15;      // fixed: cloud iff utility exceeds it; hybridflow: its base tau0.
  std::uint8_t difficulty = 5;  // difficulty: cloud iff the planner's rating reaches it.
};

// An unknown name is kInvalidInput with the list of names.
[[nodiscard]] Result<std::unique_ptr<Router>> make_router(std::string_view policy,
                                                          const PolicyOptions& options);

}  // namespace hf
