// `hybridflow train`: recorded outcomes in, weights of the router out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hf::cli {

struct TrainOptions {
  std::vector<std::string> outcomes;  // Files.
  std::string out;                    // The file of the weights.
  std::string report;                 // A folder; empty: none.
  std::uint64_t seed = 1;
};

// Returns the exit code: 0; 1 if something could not be written; 2 with one sentence if a file is
// wrong or there is too little in it.
int run_train(const TrainOptions& options);

}  // namespace hf::cli
