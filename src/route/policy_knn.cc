// "knn": the mean gain of the nearest calibration rows, by the distance of what is known of a task
// before it runs. Needs no training beyond keeping the rows; hard to beat where rows are plenty.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "route/features.h"
#include "route/pick.h"
#include "route/policies.h"
#include "route/threshold.h"

namespace hf {
namespace {

constexpr std::size_t kNeighbours = 50;

class KnnPolicy : public Router {
 public:
  explicit KnnPolicy(ModelPtr model) : model_(std::move(model)) {
    if (model_ == nullptr) return;
    for (const learn::PastRow& row : model_->past) {
      if (row.edge >= 0 && row.cloud >= 0) rows_.push_back(&row);
    }
    for (std::size_t i = 0; i < kPriorFeatures; ++i) scale_[i] = scale_of(i);
    distances_.reserve(rows_.size());
  }

  Decision choose(const RouteInput& input) override {
    if (auto only = forced(input)) return *only;
    if (!threshold_) threshold_ = tuned(affordable_share(input));
    const double gain = gain_near(prior_features(input));
    const double cost = *threshold_ * relative_cost(input);
    const bool to_cloud = gain > cost;
    Decision decision =
        pick(input, to_cloud ? Tier::kCloud : Tier::kEdge,
             Reason("gain {:.2f} of its neighbours {} {:.2f}", gain, to_cloud ? ">" : "<=", cost));
    decision.utility = gain;
    decision.threshold = cost;
    return decision;
  }

 private:
  struct Near {
    float distance = 0;
    float gain = 0;
  };

  // One over the standard deviation; 0 for what never varies.
  [[nodiscard]] float scale_of(std::size_t feature) const {
    double sum = 0;
    double squares = 0;
    for (const learn::PastRow* row : rows_) {
      const auto x = static_cast<double>(row->inputs[feature]);
      sum += x;
      squares += x * x;
    }
    const double n = std::max(1.0, static_cast<double>(rows_.size()));
    const double variance = squares / n - (sum / n) * (sum / n);
    return variance > 1e-9 ? static_cast<float>(1 / std::sqrt(variance)) : 0;
  }

  double gain_near(std::span<const float> features, const learn::PastRow* left_out = nullptr) {
    distances_.clear();
    for (const learn::PastRow* row : rows_) {
      if (row == left_out) continue;
      float distance = 0;
      for (std::size_t i = 0; i < kPriorFeatures; ++i) {
        const float apart = (features[i] - row->inputs[i]) * scale_[i];
        distance += apart * apart;
      }
      distances_.push_back({distance, row->cloud - row->edge});
    }
    const std::size_t count = std::min(kNeighbours, distances_.size());
    if (count == 0) return 0;
    std::ranges::nth_element(distances_,
                             distances_.begin() + static_cast<std::ptrdiff_t>(count) - 1, {},
                             &Near::distance);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(distances_[i].gain);
    return sum / static_cast<double>(count);
  }

  [[nodiscard]] double tuned(double share) {
    std::vector<Scored> past;
    for (const learn::PastRow* row : rows_) {
      const double cost = std::max(static_cast<double>(row->relative_cost), 1e-6);
      past.push_back({gain_near(row->inputs, row) / cost, cost});
    }
    return threshold_for(past, share, 0);
  }

  const ModelPtr model_;
  std::vector<const learn::PastRow*> rows_;
  std::array<float, kPriorFeatures> scale_{};
  std::vector<Near> distances_;  // Scratch.
  std::optional<double> threshold_;
};

}  // namespace

std::unique_ptr<Router> make_knn_policy(ModelPtr model) {
  return std::make_unique<KnnPolicy>(std::move(model));
}

}  // namespace hf
