// `hybridflow plan --parse FILE|-`: plan markup in, the plan after repair out. Calls no model.
#pragma once

#include <span>
#include <string>

#include "model/plan.h"

namespace hf::cli {

// Reads markup from the file, or standard input for "-", piece by piece as it comes. Returns the
// exit code: 0, or 2 with one sentence if the file cannot be read or holds no plan.
int run_plan_parse(const std::string& file_or_dash, const std::string& format);

// Writes a plan to standard output as text, json, dot or svg. Returns the exit code.
int print_plan(std::span<const PlannedStep> steps, const PlanEnd& end,
               std::span<const std::string> repairs, const std::string& source,
               const std::string& format);

}  // namespace hf::cli
