// "dual": dual mirror descent with the entropy (Balseiro, Lu, Mirrokni, 2020). The price of cost
// falls while a decision spends less than its even share of the money and rises while it spends
// more; it starts where the calibration rows would put it.
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/threshold.h"

namespace hf {
namespace {

constexpr double kStep = 0.02;
constexpr double kLeastPrice = 1e-4;  // From zero no factor leads away.

class DualPolicy : public Router {
 public:
  explicit DualPolicy(ModelPtr model) : predictor_(std::move(model)) {}

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    start(affordable_share(input));
    const Chances chances = predictor_.before(input);
    const double gain = chances.gain();
    const double cost = price_ * relative_cost(input);
    const bool to_cloud = gain > cost;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             Reason("gain {:.2f} {} its price {:.2f}", gain, to_cloud ? ">" : "<=", cost));
    note(chances, decision);
    decision.utility = gain;
    decision.threshold = cost;
    list_tiers(input, chances, decision);
    return decision;
  }

  void settled(const RouteInput& input, const Decision& decision) override {
    if (!input.allowance || best_of(input.candidates, Tier::kCloud) == nullptr) return;
    start(affordable_share(input));
    const double used = decision.tier == Tier::kCloud ? relative_cost(input) : 0;
    price_ = std::max(kLeastPrice, price_ * std::exp(-kStep * (*even_share_ - used)));
  }

 private:
  // The even share is set once, by the money there is for the whole horizon.
  void start(double share) {
    if (even_share_) return;
    even_share_ = share;
    std::vector<Scored> past;
    for (const PastDecision& each : predictor_.past()) {
      past.push_back({each.before.gain() / each.cost, each.cost});
    }
    price_ = std::max(kLeastPrice, threshold_for(past, share, 0));
  }

  Predictor predictor_;
  std::optional<double> even_share_;
  double price_ = kLeastPrice;
};

}  // namespace

std::unique_ptr<Router> make_dual_policy(ModelPtr model) {
  return std::make_unique<DualPolicy>(std::move(model));
}

}  // namespace hf
