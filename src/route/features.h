// Numbers about a task's text; the one place that computes them, for training and for serving.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/subtask.h"

namespace hf {

// One pass over the text; `difficulty` is the planner's own rating or 0.
TaskFeatures task_features(std::string_view text, std::uint8_t difficulty);

}  // namespace hf
