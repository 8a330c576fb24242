// A plan for people: as text, for Graphviz, as a drawing. Knows nothing of how it is carried out.
//
// Thread safety: all functions are pure.
#pragma once

#include <span>
#include <string>

#include "model/plan.h"

namespace hf {

// One line per step, then a line that sums up.
std::string render_text(std::span<const PlannedStep> steps, const PlanEnd& end);

// A digraph in the DOT language, from inputs to dependants.
std::string render_dot(std::span<const PlannedStep> steps, const PlanEnd& end);

// A self-contained SVG: one column per depth, a box per step, coloured by role.
std::string render_svg(std::span<const PlannedStep> steps, const PlanEnd& end);

}  // namespace hf
