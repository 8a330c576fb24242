// `hybridflow eval route`: every routing policy on recorded outcomes, without flattery.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hf::cli {

struct EvalRouteOptions {
  std::vector<std::string> outcomes;  // Files.
  std::string graphs;                 // A file, "asynchow", or empty: rows as they are.
  std::string policies;               // With commas; empty: all.
  std::string budgets = "0.05,0.1,0.25,0.5";
  std::string orders = "shuffled";
  std::string price_change;  // "2x@50%"; empty: none.
  std::string split = "all";
  std::string weights;  // A file; empty: the shipped ones.
  std::string report;   // A folder; empty: none.
  std::uint32_t seeds = 20;
  std::uint32_t edge_places = 1;
  double second_price = 0;
  unsigned jobs = 0;  // Threads; 0: all cores.
  bool targets = false;
  bool json = false;
};

// Returns the exit code: 0; 1 if a result could not be written; 2 with one sentence if an option or
// a file is wrong, or if the weights have seen what they are to be judged by.
int run_eval_route(const EvalRouteOptions& options);

}  // namespace hf::cli
