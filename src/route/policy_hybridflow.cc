// "hybridflow": utility gain against normalised cost, the paper's form made deterministic.
//
// The cloud gets the subtask iff gain - lambda * cost > tau0. Cost is half dollars (of the budget),
// half seconds added to the critical path (of the deadline). Lambda is the price of cost: it rises
// when the budget is spent faster than the plan advances and falls when there is room.
//
// Tuned, for a stream of decisions that share one budget: gain > (price + rise * spent) * cost,
// with cost in units of an average decision, and price and rise found on the calibration rows.
#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/threshold.h"

namespace hf {
namespace {

constexpr double kLambdaBase = 1.0;

double ratio(std::int64_t part, std::int64_t whole) {
  if (part <= 0) return 0;
  return whole <= 0 ? 1 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

// What running calls hold counts as spent: decisions made together must see each other.
double spent_share(const BudgetState& budget) {
  double share = 0;
  if (budget.usd_limit) {
    share = ratio((budget.spent.usd + budget.held.usd).count(), budget.usd_limit->count());
  }
  if (budget.cloud_tokens_limit) {
    share = std::max(share, ratio((budget.spent.cloud_tokens + budget.held.cloud_tokens).count(),
                                  budget.cloud_tokens_limit->count()));
  }
  return share;
}

double cost_of_cloud(const RouteInput& input, const Candidate& cloud, const Candidate& edge) {
  double money = 0;
  if (input.budget.usd_limit) {
    money = ratio(cloud.expected_usd.count(), input.budget.usd_limit->count());
  } else if (input.budget.cloud_tokens_limit) {
    money = ratio(input.expected.count(), input.budget.cloud_tokens_limit->count());
  }
  double time = 0;
  if (input.deadline && input.expected > Tokens(0)) {
    // A slower cloud costs nothing as long as the node is not on the critical path.
    const Duration slack = edge.expected_time / input.expected.count() * input.slack.count();
    const Duration extra = cloud.expected_time - edge.expected_time - slack;
    time = ratio(extra.count(), input.deadline->count());
  }
  return std::clamp(0.5 * money + 0.5 * time, 0.0, 1.0);
}

// What one past stream would have gained with the threshold base + rise * spent on gain over cost.
double gained(std::span<const PastDecision> past, double share, double base, double rise) {
  double money = 0;
  for (const PastDecision& each : past) money += each.cost * share;
  double spent = 0;
  double sum = 0;
  for (const PastDecision& each : past) {
    const double gain = each.before.gain();
    const double threshold = std::max(0.0, base + rise * spent / money);
    if (gain <= threshold * each.cost || spent + each.cost > money) continue;
    spent += each.cost;
    sum += gain;
  }
  return sum;
}

class HybridflowPolicy : public Router {
 public:
  HybridflowPolicy(const PolicyOptions& options, ModelPtr model)
      : predictor_(std::move(model)),
        is_tuned_(options.is_tuned),
        threshold_(options.threshold),
        rise_(options.rise) {}

  Decision choose(const RouteInput& input) override {
    const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
    const Candidate* edge = best_of(input.candidates, Tier::kEdge);
    if (cloud == nullptr) return pick(input, Tier::kEdge, "only the edge can do it");
    if (edge == nullptr) return pick(input, Tier::kCloud, "only the cloud can do it");

    const Chances chances = predictor_.before(input);
    const double gain = chances.gain();
    const double spent = spent_share(input.budget);
    double cost = 0;
    double threshold = 0;
    if (is_tuned_) {
      if (!tuned_price_) tune(affordable_share(input));
      cost = relative_cost(input);
      threshold = std::max(0.0, *tuned_price_ + rise_ * spent) * cost;
    } else {
      cost = cost_of_cloud(input, *cloud, *edge);
      const double lambda = std::max(0.0, kLambdaBase + rise_ * (spent - input.progress));
      threshold = threshold_ + lambda * cost;
    }
    const bool to_cloud = gain > threshold;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             Reason("gain {:.2f} {} threshold {:.2f}", gain, to_cloud ? ">" : "<=", threshold));
    note(chances, decision);
    decision.utility = gain;
    decision.threshold = threshold;
    list_tiers(input, chances, decision);
    decision.cost = cost;
    return decision;
  }

  [[nodiscard]] bool looks_around() const override { return predictor_.has_model() || is_tuned_; }

 private:
  // The best base and rise on the calibration rows, by trying a grid.
  void tune(double share) {
    const std::vector<PastDecision> past = predictor_.past();
    std::vector<Scored> ratios;
    for (const PastDecision& each : past) {
      ratios.push_back({each.before.gain() / each.cost, each.cost});
    }
    tuned_price_ = 0;
    rise_ = 0;
    double best = -1;
    for (const double scale : {0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0}) {
      const double base = threshold_for(ratios, std::min(1.0, share * scale), 0);
      for (const double steepness : {0.0, 0.1, 0.25, 0.5, 1.0, 2.0}) {
        const double sum = gained(past, share, base, steepness * base);
        if (sum <= best) continue;
        best = sum;
        tuned_price_ = base;
        rise_ = steepness * base;
      }
    }
  }

  Predictor predictor_;
  const bool is_tuned_;
  const double threshold_;
  double rise_;
  std::optional<double> tuned_price_;
};

}  // namespace

std::unique_ptr<Router> make_hybridflow_policy(const PolicyOptions& options, ModelPtr model) {
  return std::make_unique<HybridflowPolicy>(options, std::move(model));
}

}  // namespace hf
