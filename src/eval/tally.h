// What became of each arm over many outcome rows: counts, sums, and how sure the accuracy is.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/outcome.h"

namespace hf::eval {

struct ArmTally {
  std::string endpoint;
  Tier tier = Tier::kEdge;
  std::size_t rows = 0;
  double right = 0;
  Tokens prompt;
  Tokens completion;
  PicoUsd usd;
  double seconds = 0;
};

// Adds the row's arms to those of `tallies`; one that is not there yet comes last.
void add_to(std::vector<ArmTally>& tallies, const OutcomeRow& row);

struct Share {
  double value = 0;
  double low = 0;
  double high = 1;
};

// A share and Wilson's 95 % interval; of nothing, from 0 to 1.
[[nodiscard]] Share wilson(double right, std::size_t rows);

}  // namespace hf::eval
