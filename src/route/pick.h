// What the policies share: choosing within a tier, and saying why a tier could not be had.
#pragma once

#include <optional>
#include <span>

#include "model/decision.h"
#include "route/router.h"

namespace hf {

// The best candidate of a tier, or null: a free one before a busy one, then the earliest expected
// finish, the least load, the order.
[[nodiscard]] const Candidate* best_of(std::span<const Candidate> candidates, Tier tier);

// The decision for the best candidate of the wanted tier, or of the other one if there is none.
// REQUIRES: at least one candidate.
[[nodiscard]] Decision pick(const RouteInput& input, Tier wanted, Reason reason);

// The decision where there is no choice: only one tier has candidates.
[[nodiscard]] std::optional<Decision> forced(const RouteInput& input);

// The best candidate of the cloud. REQUIRES: there is one.
[[nodiscard]] const Candidate& cloud_of(const RouteInput& input);

[[nodiscard]] double dollars(PicoUsd usd);

// Expected dollars of the cloud, in units of an average decision of the horizon; 1 if money is not
// limited.
[[nodiscard]] double relative_cost(const RouteInput& input);

// Which share of everything ahead could go to the cloud; 1 if money is not limited.
[[nodiscard]] double affordable_share(const RouteInput& input);

// A number in [0, 1) that depends on seed, query and subtask only.
[[nodiscard]] double draw(const RouteInput& input);

}  // namespace hf
