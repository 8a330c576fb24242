// Plans in files: the `plan` object as JSON, written and read; markup as a planner writes it is
// read too. What a person brings is checked strictly; what a planner wrote is repaired.
//
// Thread safety: all functions are pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/plan.h"
#include "plan/given_plan.h"
#include "wire/json.h"

namespace hf::wire {

// The `plan` object: pruned steps are named under `pruned` and are not among `steps`.
json::object plan_json(std::span<const PlannedStep> steps, const PlanEnd& end,
                       std::span<const std::string> repairs, std::string_view source);

// Reads a plan: JSON if the text begins with '{' (the `plan` object, or a receipt that has one),
// otherwise markup. `name` is what errors call the text: a file name.
Result<GivenPlan> read_plan(std::string_view text, std::string_view name, std::uint32_t max_steps);

}  // namespace hf::wire
