// "category": the mean gain of the task's category decides, at a threshold found once: the best
// categories, down to the one in which the money ends. The baseline that any predictor from text
// must beat.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "route/pick.h"
#include "route/policies.h"
#include "route/threshold.h"

namespace hf {
namespace {

class CategoryPolicy : public Router {
 public:
  explicit CategoryPolicy(ModelPtr model) : model_(std::move(model)) {}

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    if (!threshold_) threshold_ = tuned(affordable_share(input));
    const learn::CategoryMeans means = means_of(input.features.category);
    const double ratio = (means.cloud - means.edge) / std::max(means.relative_cost, 1e-6);
    const bool to_cloud = ratio > 0 && ratio >= *threshold_;
    Decision decision = pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
                             Reason("gain {:.2f} of its category over its cost {} {:.2f}", ratio,
                                    to_cloud ? ">=" : "<", *threshold_));
    decision.utility = means.cloud - means.edge;
    decision.threshold = *threshold_;
    return decision;
  }

 private:
  [[nodiscard]] learn::CategoryMeans means_of(std::uint32_t category) const {
    return model_ == nullptr ? learn::CategoryMeans() : learn::category_means(*model_, category);
  }

  [[nodiscard]] double tuned(double share) const {
    std::vector<Scored> categories;
    if (model_ != nullptr) {
      for (const learn::CategoryMeans& raw : model_->categories) {
        const learn::CategoryMeans each = means_of(raw.key);
        const double cost = std::max(each.relative_cost, 1e-6);
        categories.push_back({(each.cloud - each.edge) / cost, each.rows * cost});
      }
    }
    return threshold_for(categories, share, 0);
  }

  const ModelPtr model_;
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Router> make_category_policy(ModelPtr model) {
  return std::make_unique<CategoryPolicy>(std::move(model));
}

}  // namespace hf
