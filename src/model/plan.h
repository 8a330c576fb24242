// What the planner's text became.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/subtask.h"

namespace hf {

enum class PlanOutcome : std::uint8_t {
  kComplete,   // Closed properly, or a plan from a file.
  kTruncated,  // Ended early; what was parsed is used.
  kUseless,    // No usable step at all.
};

// One step with its text. `label` is the planner's own id ("1", "2a"), unique within the plan.
struct PlannedStep {
  SubtaskId id{};
  std::string label;
  Subtask subtask;
  std::string task;
  std::uint8_t difficulty = 0;  // 1..9; 0: none given.
};

struct PlanEnd {
  PlanOutcome outcome = PlanOutcome::kComplete;
  std::optional<SubtaskId> sink;  // Present unless kUseless.
  std::vector<SubtaskId> pruned;  // In id order; everything else reaches the sink.
  std::string fault;              // For kUseless and kTruncated: what is wrong, for the re-prompt.
};

}  // namespace hf
