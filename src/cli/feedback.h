// `hybridflow feedback`: somebody says how right a past run was, and the router learns from it.
#pragma once

#include <string>

namespace hf::cli {

struct FeedbackOptions {
  std::string run;      // The beginning of its id, or "last".
  std::string subtask;  // As the plan calls it; empty: the answer.
  double correct = 0;   // 0 to 1.
};

int run_feedback(const FeedbackOptions& options);

}  // namespace hf::cli
