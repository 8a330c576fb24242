// "hybridflow": utility gain against normalised cost, the paper's form made deterministic.
//
// The cloud gets the subtask iff gain - lambda * cost > tau0. Cost is half dollars (of the budget),
// half seconds added to the critical path (of the deadline). Lambda is the price of cost: it rises
// when the budget is spent faster than the plan advances and falls when there is room.
#include <fmt/format.h>

#include <algorithm>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"

namespace hf {
namespace {

constexpr double kLambdaBase = 1.0;
constexpr double kLambdaRise = 4.0;  // Per unit by which spending runs ahead of progress.

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

double cost_of_cloud(const RouteInput& input, const Candidate& cloud, const Candidate* edge) {
  double money = 0;
  if (input.budget.usd_limit) {
    money = ratio(cloud.expected_usd.count(), input.budget.usd_limit->count());
  } else if (input.budget.cloud_tokens_limit) {
    money = ratio(input.expected.count(), input.budget.cloud_tokens_limit->count());
  }
  double time = 0;
  if (input.deadline && edge != nullptr && input.expected > Tokens(0)) {
    // A slower cloud costs nothing as long as the node is not on the critical path.
    const Duration slack = edge->expected_time / input.expected.count() * input.slack.count();
    const Duration extra = cloud.expected_time - edge->expected_time - slack;
    time = ratio(extra.count(), input.deadline->count());
  }
  return std::clamp(0.5 * money + 0.5 * time, 0.0, 1.0);
}

class HybridflowPolicy : public Router {
 public:
  explicit HybridflowPolicy(double threshold) : threshold_(threshold) {}

  Decision choose(const RouteInput& input) override {
    const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
    if (cloud == nullptr) return pick(input, Tier::kEdge, "only the edge can do it");

    const double gain = chances(input.features, input.role, input.is_whole_question).gain();
    const double cost = cost_of_cloud(input, *cloud, best_of(input.candidates, Tier::kEdge));
    const double lambda =
        std::max(0.0, kLambdaBase + kLambdaRise * (spent_share(input.budget) - input.progress));
    const double threshold = threshold_ + lambda * cost;
    const bool to_cloud = gain > threshold;
    Decision decision = pick(
        input, to_cloud ? Tier::kCloud : Tier::kEdge,
        fmt::format("gain {:.2f} {} threshold {:.2f}", gain, to_cloud ? ">" : "<=", threshold));
    decision.utility = gain;
    decision.threshold = threshold;
    decision.cost = cost;
    return decision;
  }

 private:
  const double threshold_;
};

}  // namespace

std::unique_ptr<Router> make_hybridflow_policy(double threshold) {
  return std::make_unique<HybridflowPolicy>(threshold);
}

}  // namespace hf
