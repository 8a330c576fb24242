// How likely each tier is to get a task right. The numbers are set by hand from what is commonly
// seen with a small local model next to a large hosted one; they are a prior, not a measurement,
// and stand until learned weights replace them.
#pragma once

#include "model/subtask.h"

namespace hf {

struct Chances {
  double edge = 0;   // P(the edge's result is right), 0..1.
  double cloud = 0;  // P(the cloud's result is right), 0..1.

  [[nodiscard]] double gain() const { return cloud - edge; }
};

// The planner's rating, or one derived from the text where there is none: 1 (easy) to 9 (hard).
[[nodiscard]] double difficulty_of(const TaskFeatures& features, Role role);

[[nodiscard]] Chances chances(const TaskFeatures& features, Role role, bool is_whole_question);

}  // namespace hf
