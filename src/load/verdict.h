// The targets of the server, and whether a run has met them. What a run did not measure is never
// met.
#pragma once

#include <string>
#include <vector>

#include "load/bench.h"

namespace hf::load {

enum class Met { kHit, kMiss, kNotMeasured };

struct Verdict {
  std::string target;  // What is asked, in words.
  Met met = Met::kNotMeasured;
  std::string seen;  // The numbers, or why there are none.
};

// One verdict a target, always all of them, in the same order.
std::vector<Verdict> judge(const BenchResult& result);

}  // namespace hf::load
