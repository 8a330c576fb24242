// What a policy would have earned, from the log of another one that wrote down its probabilities:
// inverse propensity scoring (IPS), the same divided by the sum of weights (SNIPS), and the doubly
// robust estimate (DR; Dudik, Langford and Li 2011), each with a standard error.
//
// Weights are clipped, which trades a little bias for far less variance; `clipped` says how often.
// Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace hf::eval {

inline constexpr double kWeightMax = 20;

// One decision of the log, seen from the policy that is to be judged.
struct LoggedDecision {
  std::uint64_t query = 0;      // Decisions of one query lie next to one another.
  double reward = 0;            // Of what was done.
  double propensity = 1;        // With which the log's policy did it: above 0, at most 1.
  double target = 0;            // With which the judged policy would do it.
  double predicted_logged = 0;  // The reward that a model expects of what was done,
  double predicted_target = 0;  // and of what the judged policy would do, over its choices.
};

struct Estimate {
  double value = 0;
  double standard_error = 0;  // Decisions of one query may depend on one another, queries may not.

  // The normal 95 % interval.
  [[nodiscard]] double low() const { return value - kNormal95 * standard_error; }
  [[nodiscard]] double high() const { return value + kNormal95 * standard_error; }
  [[nodiscard]] bool covers(double truth) const { return low() <= truth && truth <= high(); }

  static constexpr double kNormal95 = 1.959963984540054;
};

// Per decision.
struct OffPolicyEstimates {
  Estimate ips;
  Estimate snips;
  Estimate dr;
  double effective_size = 0;  // (sum w)^2 / sum w^2: as many even decisions tell as much.
  std::size_t clipped = 0;
};

// An error if there are fewer than two queries, if a number is not finite, if a probability is out
// of its range, or if the judged policy would do nothing of what was done.
Result<OffPolicyEstimates> estimate_off_policy(std::span<const LoggedDecision> log,
                                               double weight_max = kWeightMax);

// What `judged` earns more than `other` by the doubly robust estimate, with the standard error of
// the difference: where both would do the same there is none. Errors as above, and if the two are
// not views of the same log.
Result<Estimate> estimate_difference(std::span<const LoggedDecision> judged,
                                     std::span<const LoggedDecision> other,
                                     double weight_max = kWeightMax);

}  // namespace hf::eval
