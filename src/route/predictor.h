// How likely each tier is to get a task right: by a trained model where there is one, else by
// numbers set by hand from what is commonly seen with a small local model next to a large hosted
// one. Goes on learning from what is found to be right or wrong.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "learn/model.h"
#include "route/router.h"

namespace hf {

struct Chances {
  double edge = 0;    // P(the edge's result is right), 0..1.
  double cloud = 0;   // P(the cloud's result is right), 0..1.
  double spread = 0;  // Deviation of the gain that an attempt will show, from the one expected now.
  double trained_edge = 0;  // The same two before corrections; 0 if set by hand.
  double trained_cloud = 0;

  [[nodiscard]] double gain() const { return cloud - edge; }
};

// Writes down what the model said.
inline void note(const Chances& chances, Decision& decision) {
  decision.edge_chance = chances.trained_edge;
  decision.cloud_chance = chances.trained_cloud;
}

// What either tier would have meant, for a policy that compares a gain with a threshold.
void list_tiers(const RouteInput& input, const Chances& chances, Decision& decision);

// A decision on the calibration rows, which no head was fitted to.
struct PastDecision {
  Chances before;
  Chances after;            // The same as `before` where there was no attempt.
  double kept_share = 1;    // See Attempt.
  bool was_tried = false;   // There was an attempt,
  std::uint8_t voters = 0;  // with so many voters.
  double cost = 1;          // Of the cloud, in units of the mean of all rows.
};

// The planner's rating, or one derived from the text where there is none: 1 (easy) to 9 (hard).
[[nodiscard]] double difficulty_of(const TaskFeatures& features, Role role);

class Predictor {
 public:
  struct Options {
    bool is_calibrated = true;  // Or the heads' raw probabilities are used.
    bool learns = false;        // `learn` does something.
  };

  // Null: the numbers set by hand.
  explicit Predictor(std::shared_ptr<const learn::Model> model);
  Predictor(std::shared_ptr<const learn::Model> model, const Options& options);

  [[nodiscard]] bool has_model() const { return model_ != nullptr; }

  [[nodiscard]] Chances before(const RouteInput& input) const;
  // `edge` is then the chance of the result that would stand. Without posterior heads nothing new,
  // but for the numbers set by hand.
  [[nodiscard]] Chances after(const RouteInput& input, const Attempt& attempt) const;

  // Corrects the chances by what was found. Off by default: a policy sees only what it chose, and
  // corrections from that made decisions worse (docs/evaluation.md).
  void learn(const RouteInput& input, const Lesson& lesson);

  // Empty without a model; in the order of the calibration rows.
  [[nodiscard]] std::vector<PastDecision> past() const;

 private:
  [[nodiscard]] Chances prior(std::span<const float> inputs) const;
  [[nodiscard]] Chances posterior(std::span<const float> inputs) const;

  std::shared_ptr<const learn::Model> model_;
  const Options options_;
  learn::Corrections corrections_;  // Those of the model to begin with.
};

}  // namespace hf
