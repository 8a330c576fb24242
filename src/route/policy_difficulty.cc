// "difficulty": the planner's own rating decides; without one, a rating derived from the text.
#include "route/pick.h"
#include "route/policies.h"
#include "route/predictor.h"

namespace hf {
namespace {

class DifficultyPolicy : public Router {
 public:
  explicit DifficultyPolicy(std::uint8_t rating) : rating_(rating) {}

  Decision choose(const RouteInput& input) override {
    const double difficulty = difficulty_of(input.features, input.role);
    const bool to_cloud = difficulty >= static_cast<double>(rating_);
    return pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                Reason("{} {:.1f} {} {}",
                       input.features.difficulty == 0 ? "estimated difficulty" : "difficulty",
                       difficulty, to_cloud ? ">=" : "<", rating_));
  }

  [[nodiscard]] bool looks_around() const override { return false; }

 private:
  const std::uint8_t rating_;
};

}  // namespace

std::unique_ptr<Router> make_difficulty_policy(std::uint8_t rating) {
  return std::make_unique<DifficultyPolicy>(rating);
}

}  // namespace hf
