// The targets that were set before anything was measured, each with what was measured, its interval
// and hit or miss; and the paper's own headline on the same data.
//
// docs/evaluation.md has them in words. Nothing here is chosen by looking at the result but where
// the target itself says so. Thread safety: none needed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/evaluate.h"
#include "eval/prepared.h"
#include "eval/resamples.h"
#include "learn/model.h"

namespace hf::eval {

struct Target {
  std::string name;            // "a".."f", "headline".
  std::string statement;       // What was aimed at.
  BootstrapInterval measured;  // Not a number where it is not defined: no gain to compare with.
  double goal = 0;
  bool is_at_least = true;  // Or at most.
  bool is_hit = false;
  std::string note;  // The same elsewhere, and what else is to be known.
};

// "hit", "missed" or "not defined here".
[[nodiscard]] std::string_view verdict_of(const Target& target);

struct Headline {
  std::string policy;
  BootstrapInterval utility;     // Fraction of the clairvoyant's gain, mean over the budgets.
  BootstrapInterval difference;  // From that of the best fixed threshold.
};

struct Targets {
  std::vector<Target> targets;
  std::vector<Headline> headline;  // The best fixed threshold first.
};

// `composed` may be null: the targets about graphs are then left out. Orders, budgets and policies
// of `options` are not used; seeds, jobs and the rest are.
Result<Targets> measure_targets(const Prepared& data, const Prepared* composed,
                                const std::shared_ptr<const learn::Model>& model,
                                const EvaluateOptions& options, const Progress& progress = {});

}  // namespace hf::eval
