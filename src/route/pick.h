// What the policies share: choosing within a tier, and saying why a tier could not be had.
#pragma once

#include <span>
#include <string>

#include "model/decision.h"
#include "route/router.h"

namespace hf {

// The best candidate of a tier, or null: a free one before a busy one, then the earliest expected
// finish, the least load, the order.
[[nodiscard]] const Candidate* best_of(std::span<const Candidate> candidates, Tier tier);

// The decision for the best candidate of the wanted tier, or of the other one if there is none.
// REQUIRES: at least one candidate.
[[nodiscard]] Decision pick(const RouteInput& input, Tier wanted, std::string reason);

// A number in [0, 1) that depends on seed, query and subtask only.
[[nodiscard]] double draw(const RouteInput& input);

}  // namespace hf
