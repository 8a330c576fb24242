#include "route/pick.h"

#include <utility>

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

Decision pick(const RouteInput& input, Tier wanted, std::string reason) {
  const Candidate* best = best_of(input.candidates, wanted);
  if (best == nullptr) {
    best = best_of(input.candidates, wanted == Tier::kEdge ? Tier::kCloud : Tier::kEdge);
    reason +=
        wanted == Tier::kEdge ? "; no edge endpoint can do it" : "; no cloud endpoint can do it";
  }
  HF_ASSERT(best != nullptr);
  Decision decision;
  decision.endpoint = best->endpoint;
  decision.tier = best->tier;
  decision.reason = std::move(reason);
  return decision;
}

double draw(const RouteInput& input) {
  const std::uint64_t place =
      mix(static_cast<std::uint64_t>(input.query)) ^ index_of(input.subtask);
  return Rng(mix(input.seed ^ mix(place))).unit();
}

}  // namespace hf
