// What the router chose for a ready subtask, and why.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/units.h"
#include "model/endpoint.h"

namespace hf {

struct Decision {
  EndpointId endpoint{};
  Tier tier = Tier::kEdge;
  double utility = 0;     // Predicted gain of the cloud over the edge, -1..1; 0 if not predicted.
  double threshold = 0;   // What `utility` was compared with.
  double cost = 0;        // Normalised cost of the cloud, 0..1.
  double propensity = 1;  // Probability with which this policy takes this action here.
  std::string reason;     // One short clause for people: "gain 0.31 > threshold 0.22".
};

}  // namespace hf
