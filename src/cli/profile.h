// `hybridflow profile`: a file of tasks put to every configured endpoint, an outcome line a task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "cli/ask.h"

namespace hf::cli {

struct ProfileOptions {
  std::string tasks;  // A file.
  ConfigOptions config;
  std::string out;  // A file that grows.
  std::size_t skip = 0;
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  std::string budget_usd;  // As typed; empty: as configured.
  std::size_t jobs = 1;
  std::uint64_t seed = 0;
  bool json = false;
};

// Returns the exit code: 0 if every task is in the file; 2 with one sentence if a file or an option
// is wrong; 3 if the budget ended it; 5 if tasks failed; 130 after Ctrl-C; 1 if a line could not be
// written.
int run_profile(const ProfileOptions& options);

}  // namespace hf::cli
