// `hybridflow import`: recorded results of others as outcome lines.
#pragma once

#include <string>
#include <vector>

namespace hf::cli {

struct ImportOptions {
  std::string source;              // mmlu-pro, routellm-mmlu, routellm-gsm8k
  std::vector<std::string> files;  // mmlu-pro: outcomes, predictions and questions, in this order.
  std::string edge;                // mmlu-pro: names of recorded models; empty: the default ones.
  std::string cloud;
  std::string voters;        // With commas.
  std::string price_prompt;  // Dollars per million tokens of the cloud; empty: the default.
  std::string price_completion;
  std::string out;
};

// Returns the exit code: 0; 1 if the file could not be written; 2 with one sentence if an option or
// a file is wrong.
int run_import(const ImportOptions& options);

}  // namespace hf::cli
