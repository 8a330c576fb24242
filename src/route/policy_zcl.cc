// "zcl": the threshold for an online knapsack against an adversary (Zhou, Chakrabarty, Lukose,
// 2008), as PILOT uses it (arXiv 2508.21141): with the share z of the money gone, gain over cost
// must reach (U e / L)^z L / e, where L and U bound that ratio.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"

namespace hf {
namespace {

// The bounds leave out the outer twentieth at each end: single rows must not set them.
constexpr double kOuter = 0.05;

class ZclPolicy : public Router {
 public:
  explicit ZclPolicy(ModelPtr model) : predictor_(std::move(model)) {
    std::vector<double> ratios;
    for (const PastDecision& each : predictor_.past()) {
      if (each.before.gain() > 0) ratios.push_back(each.before.gain() / each.cost);
    }
    if (ratios.size() < 20) return;
    std::ranges::sort(ratios);
    const auto outer = static_cast<std::size_t>(kOuter * static_cast<double>(ratios.size()));
    low_ = ratios[outer];
    high_ = ratios[ratios.size() - 1 - outer];
  }

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    const double spent = input.allowance ? input.allowance->spent : 0;
    const double threshold =
        std::pow(high_ * std::numbers::e / low_, spent) * low_ / std::numbers::e;
    const Chances chances = predictor_.before(input);
    const double gain = chances.gain();
    const double ratio = gain / relative_cost(input);
    const bool to_cloud = gain > 0 && ratio >= threshold;
    Decision decision = pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                             Reason("gain over cost {:.2f} {} threshold {:.2f}", ratio,
                                    to_cloud ? ">=" : "<", threshold));
    note(chances, decision);
    decision.utility = gain;
    decision.threshold = threshold * relative_cost(input);
    list_tiers(input, chances, decision);
    return decision;
  }

 private:
  Predictor predictor_;
  double low_ = 0.02;
  double high_ = 1;
};

}  // namespace

std::unique_ptr<Router> make_zcl_policy(ModelPtr model) {
  return std::make_unique<ZclPolicy>(std::move(model));
}

}  // namespace hf
