// `hybridflow simulate WORLD --seeds A..B`: the scheduler in a virtual world, under many seeds.
#pragma once

#include <string>

namespace hf::cli {

struct SimulateOptions {
  std::string world;  // A path, or the name of a shipped one.
  std::string seeds = "1..100";
  std::string policy;  // Empty: as the world says.
  std::string trace;   // A file for the traces in words, or -; empty: none.
  unsigned jobs = 0;   // Threads; 0: all cores.
  bool json = false;
};

// Returns the exit code: 0; 1 if a checker fired or the result could not be written; 2 with one
// sentence if the world, the seeds or the policy are wrong.
int run_simulate(const SimulateOptions& options);

}  // namespace hf::cli
