// "fixed": the cloud wherever the predicted gain exceeds a threshold that never moves.
#include <fmt/format.h>

#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"

namespace hf {
namespace {

class FixedPolicy : public Router {
 public:
  explicit FixedPolicy(double threshold) : threshold_(threshold) {}

  Decision choose(const RouteInput& input) override {
    const double gain = chances(input.features, input.role, input.is_whole_question).gain();
    const bool to_cloud = gain > threshold_;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             fmt::format("gain {:.2f} {} {:.2f}", gain, to_cloud ? ">" : "<=", threshold_));
    decision.utility = gain;
    decision.threshold = threshold_;
    return decision;
  }

 private:
  const double threshold_;
};

}  // namespace

std::unique_ptr<Router> make_fixed_policy(double threshold) {
  return std::make_unique<FixedPolicy>(threshold);
}

}  // namespace hf
