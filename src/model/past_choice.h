// A decision that was carried out, as numbers: all that can be learned from it once somebody has
// judged its result.
#pragma once

#include <optional>

#include "model/endpoint.h"

namespace hf {

struct PastChoice {
  Tier tier = Tier::kEdge;  // Where the result that stands came from.
  bool was_tried = false;   // The edge's attempt had been looked at before.
  bool was_open = false;    // Both tiers could be had, and other chances could have changed it.
  double edge_chance = 0;   // As the trained model says; 0: not predicted.
  double cloud_chance = 0;
  double edge_served = 0;  // As the policy used them, with what was learned until then.
  double cloud_served = 0;
  double utility = 0;  // These as in Decision.
  double threshold = 0;
  double propensity = 1;
  std::optional<double> attempt_worth = {};  // If an attempt was to be had, too.

  [[nodiscard]] bool is_predicted() const { return edge_chance > 0 && cloud_chance > 0; }

  friend bool operator==(const PastChoice&, const PastChoice&) = default;
};

}  // namespace hf
