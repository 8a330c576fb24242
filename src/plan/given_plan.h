// A plan that the user brings instead of a planner's.
#pragma once

#include <string>
#include <vector>

#include "model/plan.h"

namespace hf {

struct GivenPlan {
  std::vector<PlannedStep> steps;
  PlanEnd end;
  std::vector<std::string> repairs;
};

}  // namespace hf
