// Chooses the endpoint of a ready subtask at the moment of its dispatch.
//
// A policy is a function of what it is shown, of the seed and of its own state, which changes in
// `settled` and `learned` only: the same calls in the same order give the same decisions, and
// `choose` and `review` may be asked again at will. It neither reserves nor sends; the scheduler
// does, and asks again with fewer candidates if the budget refuses.
//
// Thread safety: none.
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
#include "graph/list_schedule.h"
#include "learn/model.h"
#include "model/budget.h"
#include "model/decision.h"
#include "model/endpoint.h"
#include "model/signals.h"
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

// The money that is shared out among all decisions of a horizon: a query, or a stream of them.
struct Allowance {
  PicoUsd left;          // Neither spent nor held.
  PicoUsd ahead;         // What everything not yet decided, this included, would cost in the cloud.
  double decisions = 1;  // How many decisions that is.
  double spent = 0;      // Share of the limit, 0..1.
};

// Where a subtask stands among the others of its query; for policies that price time.
struct Surroundings {
  std::span<const StepTime> steps;  // By SubtaskId; empty: a single step.
  std::span<const Duration> tails;  // By SubtaskId: from its start to the end of the query.
  const Graph* graph = nullptr;     // Null if `steps` is empty.
  std::uint32_t edge_places = 1;    // Edge calls at once.
  std::uint32_t inputs = 0;         // Done ones.
  std::uint32_t inputs_from_edge = 0;
  double input_chance = 1;  // Mean predicted probability that they are right.
};

struct RouteInput {
  QueryId query{};
  SubtaskId subtask{};
  Role role = Role::kAnalyze;
  bool is_whole_question = false;  // An unplanned query.
  TaskFeatures features;
  std::uint32_t depth = 0;       // Nodes on the longest chain above it.
  std::uint32_t dependants = 0;  // Direct ones.
  double weight = 1;             // Importance for the final answer, 0..1.
  Tokens expected;               // Of the answer, by the planner's guess or the default.
  Tokens slack;                  // In tokens of the critical path.
  double progress = 0;           // Share of the plan's expected tokens that is done, 0..1.
  Duration elapsed{};            // Since the query arrived.
  std::optional<Duration> deadline;
  BudgetState budget;                  // The query's scope.
  std::optional<Allowance> allowance;  // Absent: no limit on dollars.
  Surroundings around;
  std::uint8_t voters = 0;                // Further edge results that can be had,
  std::span<const Duration> vote_times;   // with the expected time of each in their order.
  std::uint64_t seed = 0;                 // Of the query.
  std::span<const Candidate> candidates;  // Not empty; in configuration order.
};

// What became of a subtask that `choose` or `review` decided on.
struct Lesson {
  Tier tier = Tier::kEdge;             // Where the result that stands came from.
  std::optional<double> correct = {};  // Of that result, 0..1; absent while nobody has judged it.
  const Attempt* attempt = nullptr;    // If there was one.
};

class Router {
 public:
  virtual ~Router() = default;

  // REQUIRES: at least one candidate. The result names one of them.
  [[nodiscard]] virtual Decision choose(const RouteInput& input) = 0;

  // After an attempt on the edge that `choose` asked for: an edge endpoint lets the result stand, a
  // cloud endpoint replaces it. An attempt again asks for voters up to `votes` before the next
  // look, and only if that is more than have voted. REQUIRES: at least one candidate.
  [[nodiscard]] virtual Decision review(const RouteInput& input, const Attempt& attempt);

  // Whether it reads `around`, `allowance` and `weight` of its input; elsewhere they may be empty.
  [[nodiscard]] virtual bool looks_around() const { return true; }

  // A decision is carried out; called once for the last decision of each subtask, and not at all
  // where an attempt stands for want of time.
  virtual void settled(const RouteInput& input, const Decision& decision);

  // What it led to. `decision` is the last one.
  virtual void learned(const RouteInput& input, const Decision& decision, const Lesson& lesson);
};

// The policies by name.
[[nodiscard]] std::span<const std::string_view> policy_names();

// spar. The switches exist for ablations: what is off must not pay better than what is on.
struct SparOptions {
  double second_price = 0;  // Gain that a second of the query's time must bring.
  double explore = 0;       // Probability of an action drawn at random, 0..1.
  bool attempts = true;     // Attempts on the edge may be reviewed.
  bool slack = true;        // Only what delays the query's end is charged.
  bool resolve = true;      // The price of a dollar is solved anew each time.
  bool online = false;      // Chances are corrected by what is found; see Predictor::learn.
  bool calibration = true;  // Chances go through the calibration maps.
};

struct PolicyOptions {
  double cloud_share = 0.5;     // random: probability of the cloud.
  double threshold = 0.15;      // fixed: cloud iff utility exceeds it; hybridflow: its base tau0.
  double rise = 4;              // hybridflow: by how much its price of cost rises as money goes.
  std::uint8_t difficulty = 5;  // difficulty: cloud iff the planner's rating reaches it.
  bool is_tuned = false;  // The numbers above come from the model's calibration rows instead, for
                          // the share of money that the first decision sees.
  SparOptions spar = {};
};

// Makes the policy of that name. `model` may be null: the predictor's numbers are then set by hand.
// An unknown name is kInvalidInput with the list of names.
[[nodiscard]] Result<std::unique_ptr<Router>> make_router(
    std::string_view policy, const PolicyOptions& options,
    std::shared_ptr<const learn::Model> model = nullptr);

}  // namespace hf
