// "random": a coin with a fixed bias. The baseline that every learned policy must beat at equal
// cost.
#include <optional>

#include "route/pick.h"
#include "route/policies.h"

namespace hf {
namespace {

class RandomPolicy : public Router {
 public:
  explicit RandomPolicy(const PolicyOptions& options) {
    if (!options.is_tuned) cloud_share_ = options.cloud_share;
  }

  Decision choose(const RouteInput& input) override {
    if (!cloud_share_) cloud_share_ = affordable_share(input);
    const double share = *cloud_share_;
    const double drawn = draw(input);
    const bool to_cloud = drawn < share;
    Decision decision = pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                             Reason("drew {:.2f} {} {:.2f}", drawn, to_cloud ? "<" : ">=", share));
    // What was done at the only tier that could be had was done for certain.
    const bool had_choice = best_of(input.candidates, Tier::kEdge) != nullptr &&
                            best_of(input.candidates, Tier::kCloud) != nullptr;
    if (had_choice) decision.propensity = to_cloud ? share : 1 - share;
    return decision;
  }

  [[nodiscard]] bool looks_around() const override { return !cloud_share_; }

 private:
  std::optional<double> cloud_share_;
};

}  // namespace

std::unique_ptr<Router> make_random_policy(const PolicyOptions& options) {
  return std::make_unique<RandomPolicy>(options);
}

}  // namespace hf
