// `hybridflow explain`: why each subtask of a past run went where it went.
#pragma once

#include <string>

namespace hf::cli {

struct ExplainOptions {
  std::string run;      // The beginning of its id, or "last"; empty: a list of the last runs.
  std::string subtask;  // As the plan calls it; empty: all.
  bool json = false;
};

int run_explain(const ExplainOptions& options);

}  // namespace hf::cli
