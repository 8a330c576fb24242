// "fixed": the cloud wherever the predicted gain exceeds a threshold that never moves, as RouteLLM
// does with its win probability (Ong et al., arXiv 2406.18665).
#include <optional>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"
#include "route/threshold.h"

namespace hf {
namespace {

class FixedPolicy : public Router {
 public:
  FixedPolicy(const PolicyOptions& options, ModelPtr model) : predictor_(std::move(model)) {
    if (!options.is_tuned) threshold_ = options.threshold;
  }

  Decision choose(const RouteInput& input) override {
    if (!threshold_) threshold_ = tuned(affordable_share(input));
    const Chances chances = predictor_.before(input);
    const double gain = chances.gain();
    const bool to_cloud = gain > *threshold_;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             Reason("gain {:.2f} {} {:.2f}", gain, to_cloud ? ">" : "<=", *threshold_));
    note(chances, decision);
    decision.utility = gain;
    decision.threshold = *threshold_;
    list_tiers(input, chances, decision);
    return decision;
  }

  [[nodiscard]] bool looks_around() const override { return predictor_.has_model() || !threshold_; }

 private:
  [[nodiscard]] double tuned(double share) const {
    std::vector<Scored> past;
    for (const PastDecision& each : predictor_.past()) {
      past.push_back({each.before.gain(), each.cost});
    }
    return threshold_for(past, share, 0);
  }

  Predictor predictor_;
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Router> make_fixed_policy(const PolicyOptions& options, ModelPtr model) {
  return std::make_unique<FixedPolicy>(options, std::move(model));
}

}  // namespace hf
