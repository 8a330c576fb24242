// "random": a coin with a fixed bias. The baseline that every learned policy must beat at equal
// cost.
#include <fmt/format.h>

#include "route/pick.h"
#include "route/policies.h"

namespace hf {
namespace {

class RandomPolicy : public Router {
 public:
  explicit RandomPolicy(double cloud_share) : cloud_share_(cloud_share) {}

  Decision choose(const RouteInput& input) override {
    const double drawn = draw(input);
    const bool to_cloud = drawn < cloud_share_;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             fmt::format("drew {:.2f} {} {:.2f}", drawn, to_cloud ? "<" : ">=", cloud_share_));
    // What was done at the only tier that could be had was done for certain.
    const bool had_choice = best_of(input.candidates, Tier::kEdge) != nullptr &&
                            best_of(input.candidates, Tier::kCloud) != nullptr;
    if (had_choice) decision.propensity = to_cloud ? cloud_share_ : 1 - cloud_share_;
    return decision;
  }

 private:
  const double cloud_share_;
};

}  // namespace

std::unique_ptr<Router> make_random_policy(double cloud_share) {
  return std::make_unique<RandomPolicy>(cloud_share);
}

}  // namespace hf
