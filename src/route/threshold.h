// Thresholds that are found once, from decisions of the past and the share of money there is.
#pragma once

#include <span>

namespace hf {

struct Scored {
  double score = 0;
  double cost = 1;
};

// The score from which on the best of `past` use up `share` of the cost of all; `floor` if there
// is money for every score above it, and if there is no past. Without money no score passes.
[[nodiscard]] double threshold_for(std::span<Scored> past, double share, double floor);

}  // namespace hf
