// "hybridflow-release": what the authors' released code does with its released weights, as far as
// it can be seen from outside: docs/routing.md names the observations. The score hardly depends on
// anything but the number of words; the threshold rises with the share of the money and the time
// that is gone; a coin decides; the first and the last step go to the cloud.
#include <algorithm>
#include <cmath>

#include "route/pick.h"
#include "route/policies.h"

namespace hf {
namespace {

constexpr double kScoreBase = -0.06;
constexpr double kScorePerWord = -0.0034;
constexpr double kRise = 0.5;
constexpr double kTemperature = 0.1;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

class ReleasePolicy : public Router {
 public:
  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    const bool is_first = input.depth == 0 && index_of(input.subtask) == 0;
    const bool is_last = input.role == Role::kGenerate;
    if (!input.is_whole_question && (is_first || is_last)) {
      return pick(input, Tier::kCloud, is_last ? "the last step" : "the first step");
    }
    const double score = sigmoid(kScoreBase + kScorePerWord * input.features.words);
    const double spent = input.allowance ? input.allowance->spent : 0;
    double late = 0;
    if (input.deadline && *input.deadline > Duration(0)) {
      late =
          static_cast<double>(input.elapsed.count()) / static_cast<double>(input.deadline->count());
    }
    const double threshold = std::clamp(kRise * spent + kRise * late, 0.0, 1.0);
    const double chance = sigmoid((score - threshold) / kTemperature);
    const bool to_cloud = draw(input) < chance;
    Decision decision = pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                             Reason("a coin with {:.2f} for the cloud", chance));
    decision.utility = score;
    decision.threshold = threshold;
    decision.propensity = to_cloud ? chance : 1 - chance;
    return decision;
  }
};

}  // namespace

std::unique_ptr<Router> make_release_policy() {
  return std::make_unique<ReleasePolicy>();
}

}  // namespace hf
