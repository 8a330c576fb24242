// Policies side by side on the same recorded outcomes, budgets and orders, with intervals.
//
// What each number means is said in docs/evaluation.md. Everything but the measured decision times
// depends on data and options alone, not on how many threads worked on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/orders.h"
#include "eval/prepared.h"
#include "eval/resamples.h"
#include "eval/stream.h"
#include "learn/model.h"
#include "route/router.h"

namespace hf::eval {

// Every name that can be evaluated: the policies that serve, ablations of spar, and clairvoyants.
[[nodiscard]] std::vector<std::string> evaluated_policies();

struct EvaluateOptions {
  std::vector<std::string> policies = evaluated_policies();
  std::vector<double> budgets = {0.05, 0.1, 0.25, 0.5};  // Parts of the all-cloud cost, above 0.
  std::vector<Order> orders = {Order::kShuffled};
  std::vector<PriceChange> prices = {PriceChange{}};  // A factor of 1 is no change.
  std::uint32_t seeds = 20;                           // Orders of the stream: 1 to `seeds`.
  std::uint32_t edge_places = 1;
  PolicyOptions policy;
  bool is_tuned = true;  // Thresholds come from the model's calibration rows, not from `policy`.
  unsigned jobs = 1;
  std::size_t resamples = 1000;
};

struct Setting {
  std::string policy;
  double budget = 0;
  Order order = Order::kShuffled;
  PriceChange price;

  [[nodiscard]] bool changes_price() const { return price.factor != 1; }
};

// One policy under one budget. Means over the stream orders, unless it says otherwise.
struct Cell {
  Setting setting;
  BootstrapInterval accuracy;          // Of subtasks.
  BootstrapInterval strict;            // Of queries with all subtasks right.
  BootstrapInterval utility;           // Subtasks right beyond the all-edge ones, per subtask.
  BootstrapInterval oracle_fraction;   // Of what the clairvoyant gains over all-edge.
  BootstrapInterval actions_fraction;  // The same of one that may keep an attempt's answer.
  double spent_usd = 0;
  double spent_share = 0;    // Of the budget.
  double overshoot_usd = 0;  // The most of any order.
  double makespan_mean = 0;  // Seconds of a query.
  double makespan_p95 = 0;
  double to_edge = 0;  // Results that stood, by where they came from.
  double to_cloud = 0;
  double attempts = 0;
  double votes = 0;            // Asked for in attempts.
  double cut = 0;              // Answers of the cloud that were cut where the money ended.
  double decision_p50_ns = 0;  // Medians over the orders.
  double decision_p99_ns = 0;
  bool is_exact = true;  // Of a clairvoyant: the search was finished.
  // Share of the budget at each hundredth of the stream: mean, least and most of all orders.
  std::vector<double> spending;
  std::vector<double> spending_low;
  std::vector<double> spending_high;
  // Per query, for paired comparisons.
  std::vector<double> correct;  // Sum over its subtasks.
  std::vector<double> right;    // Share of the orders in which all of them were right.
  std::vector<double> seconds;  // From start to end.
};

struct Evaluation {
  std::vector<Cell> cells;           // In the order of prices, orders, budgets, policies.
  std::vector<double> edge_correct;  // Per query, if all is done on the edge.
  std::vector<double> subtasks;      // Per query.
  BootstrapInterval all_edge;        // Accuracies.
  BootstrapInterval all_cloud;
  double all_cloud_usd = 0;

  // Null if there is none.
  [[nodiscard]] const Cell* find(std::string_view policy, double budget, Order order,
                                 const PriceChange& price) const;
};

// Called now and then, from any thread but one at a time: runs done, of how many.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

// `model` may be null. Fails if there is no policy of a name or an option is out of its range.
Result<Evaluation> evaluate(const Prepared& data, const std::shared_ptr<const learn::Model>& model,
                            const EvaluateOptions& options, const Progress& progress = {});

// Subtasks right beyond the all-edge ones, per query. REQUIRES: a cell of this evaluation.
[[nodiscard]] std::vector<double> gain_of(const Evaluation& evaluation, const Cell& cell);

// Resamples are drawn alike everywhere, so that intervals can be compared.
inline constexpr std::uint64_t kResampleSeed = 1;

}  // namespace hf::eval
