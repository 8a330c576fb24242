// Worlds that nobody would write by hand: random graphs, speeds, failures, budgets, deadlines and
// cancellations, all from one seed. For finding what breaks the rules, not for measuring.
#pragma once

#include <cstdint>

#include "sim/world.h"

namespace hf::sim {

// The same seed gives the same world.
[[nodiscard]] WorldSpec random_world(std::uint64_t seed);

}  // namespace hf::sim
