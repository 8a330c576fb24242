// "linucb" and "pacer": two linear bandits, one a tier, that learn from the results they caused.
//   linucb  optimism in the face of uncertainty (Li et al., 2010), at a price of cost that is found
//           once on the calibration rows;
//   pacer   the same with geometric forgetting and a price that follows the spending in a closed
//           loop, and a ceiling on what a single call may cost (ParetoBandit, arXiv 2604.00136).
// Both start from the calibration rows, where the results of both tiers are known.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "route/features.h"
#include "route/linear_bandit.h"
#include "route/pick.h"
#include "route/policies.h"
#include "route/threshold.h"

namespace hf {
namespace {

constexpr double kRidge = 1;
constexpr double kOptimism = 0.05;
constexpr double kForgetting = 0.997;
// ParetoBandit's own.
constexpr double kPacerStep = 0.05;
constexpr double kPacerMemory = 0.05;
constexpr double kPacerPriceMax = 5;

class BanditPolicy : public Router {
 public:
  BanditPolicy(bool paces, ModelPtr model)
      : paces_(paces),
        model_(std::move(model)),
        edge_(kRidge, paces ? kForgetting : 1),
        cloud_(kRidge, paces ? kForgetting : 1) {
    if (model_ == nullptr) return;
    for (const learn::PastRow& row : model_->past) {
      PriorFeatures inputs;
      std::ranges::copy_n(row.inputs.begin(), kPriorFeatures, inputs.begin());
      if (row.edge >= 0) edge_.learn(inputs, static_cast<double>(row.edge));
      if (row.cloud >= 0) cloud_.learn(inputs, static_cast<double>(row.cloud));
    }
  }

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    start(affordable_share(input));
    const PriorFeatures inputs = prior_features(input);
    const double gain = cloud_.mean(inputs) + kOptimism * cloud_.width(inputs) -
                        edge_.mean(inputs) - kOptimism * edge_.width(inputs);
    const double cost = relative_cost(input);
    const double threshold = price_ * cost;
    // The ceiling: under pressure, nothing that costs more than its even share allows.
    const bool is_allowed = !paces_ || cost <= kCeiling / (1 + price_);
    const bool to_cloud = gain > threshold && is_allowed;
    Decision decision = pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                             Reason("gain {:.2f} with optimism {} its price {:.2f}{}", gain,
                                    gain > threshold ? ">" : "<=", threshold,
                                    is_allowed ? "" : ", but it costs too much for one call"));
    decision.utility = gain;
    decision.threshold = threshold;
    return decision;
  }

  void settled(const RouteInput& input, const Decision& decision) override {
    if (!paces_ || best_of(input.candidates, Tier::kCloud) == nullptr) return;
    start(affordable_share(input));
    if (!input.allowance || *even_share_ <= 0) return;
    const double used = decision.tier == Tier::kCloud ? relative_cost(input) : 0;
    recent_ += kPacerMemory * (used - recent_);
    price_ = std::clamp(price_ + kPacerStep * (recent_ / *even_share_ - 1), 0.0, kPacerPriceMax);
  }

  void learned(const RouteInput& input, const Decision&, const Lesson& lesson) override {
    if (!lesson.correct) return;
    (lesson.tier == Tier::kCloud ? cloud_ : edge_).learn(prior_features(input), *lesson.correct);
  }

 private:
  static constexpr double kCeiling = 20;  // Costs of an average decision.

  void start(double share) {
    if (even_share_) return;
    even_share_ = share;
    recent_ = share;
    std::vector<Scored> past;
    if (model_ != nullptr) {
      for (const learn::PastRow& row : model_->past) {
        PriorFeatures inputs;
        std::ranges::copy_n(row.inputs.begin(), kPriorFeatures, inputs.begin());
        const double cost = std::max(static_cast<double>(row.relative_cost), 1e-6);
        past.push_back({(cloud_.mean(inputs) - edge_.mean(inputs)) / cost, cost});
      }
    }
    price_ = threshold_for(past, share, 0);
  }

  const bool paces_;
  const ModelPtr model_;
  LinearBandit edge_;
  LinearBandit cloud_;
  std::optional<double> even_share_;
  double recent_ = 0;  // Moving average of what decisions cost.
  double price_ = 0;
};

}  // namespace

std::unique_ptr<Router> make_linucb_policy(ModelPtr model) {
  return std::make_unique<BanditPolicy>(false, std::move(model));
}

std::unique_ptr<Router> make_pacer_policy(ModelPtr model) {
  return std::make_unique<BanditPolicy>(true, std::move(model));
}

}  // namespace hf
