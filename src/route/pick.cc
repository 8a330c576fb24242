#include "route/pick.h"

#include <algorithm>

#include "base/assert.h"
#include "base/rng.h"

namespace hf {
namespace {

bool is_busy(const Candidate& candidate) {
  return candidate.in_flight >= candidate.max_in_flight;
}

bool is_better(const Candidate& a, const Candidate& b) {
  if (is_busy(a) != is_busy(b)) return is_busy(b);
  if (a.expected_time != b.expected_time) return a.expected_time < b.expected_time;
  return std::uint64_t{a.in_flight} * b.max_in_flight <
         std::uint64_t{b.in_flight} * a.max_in_flight;
}

}  // namespace

const Candidate* best_of(std::span<const Candidate> candidates, Tier tier) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.tier != tier) continue;
    if (best == nullptr || is_better(candidate, *best)) best = &candidate;
  }
  return best;
}

Decision pick(const RouteInput& input, Tier wanted, Reason reason) {
  const Candidate* best = best_of(input.candidates, wanted);
  if (best == nullptr) {
    best = best_of(input.candidates, wanted == Tier::kEdge ? Tier::kCloud : Tier::kEdge);
    reason.append(wanted == Tier::kEdge ? "; no edge endpoint can do it"
                                        : "; no cloud endpoint can do it");
  }
  HF_ASSERT(best != nullptr);
  Decision decision;
  decision.endpoint = best->endpoint;
  decision.tier = best->tier;
  decision.reason = reason;
  return decision;
}

std::optional<Decision> forced(const RouteInput& input) {
  if (best_of(input.candidates, Tier::kCloud) == nullptr) {
    return pick(input, Tier::kEdge, "only the edge can do it");
  }
  if (best_of(input.candidates, Tier::kEdge) == nullptr) {
    return pick(input, Tier::kCloud, "only the cloud can do it");
  }
  return std::nullopt;
}

const Candidate& cloud_of(const RouteInput& input) {
  const Candidate* cloud = best_of(input.candidates, Tier::kCloud);
  HF_ASSERT(cloud != nullptr);
  return *cloud;
}

double dollars(PicoUsd usd) {
  return static_cast<double>(usd.count()) / static_cast<double>(kPicoPerUsd);
}

double relative_cost(const RouteInput& input) {
  if (!input.allowance || input.allowance->ahead <= PicoUsd(0)) return 1;
  const double mean = dollars(input.allowance->ahead) / std::max(input.allowance->decisions, 1.0);
  return std::max(dollars(cloud_of(input).expected_usd) / mean, 1e-6);
}

double affordable_share(const RouteInput& input) {
  if (!input.allowance || input.allowance->ahead <= PicoUsd(0)) return 1;
  return std::clamp(dollars(input.allowance->left) / dollars(input.allowance->ahead), 0.0, 1.0);
}

double draw(const RouteInput& input) {
  const std::uint64_t place =
      mix(static_cast<std::uint64_t>(input.query)) ^ index_of(input.subtask);
  return Rng(mix(input.seed ^ mix(place))).unit();
}

}  // namespace hf
