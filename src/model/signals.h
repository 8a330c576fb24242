// What an answer says of itself, and what others say of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"

namespace hf {

// Confidence signals of an answer, natural logarithms; each absent if the endpoint sends none.
struct Signals {
  std::optional<double> mean_logprob = {};
  std::optional<double> low_logprob = {};  // The tenth percentile over the tokens.
  std::optional<double> margin =
      {};  // Mean difference of the two best tokens' probabilities, 0..1.
};

// The tenth percentile (nearest rank); none of nothing. Reorders its argument.
inline std::optional<double> tenth_percentile(std::vector<float>& logprobs) {
  if (logprobs.empty()) return std::nullopt;
  const auto rank = logprobs.begin() + static_cast<std::ptrdiff_t>((logprobs.size() - 1) / 10);
  std::ranges::nth_element(logprobs, rank);
  return static_cast<double>(*rank);
}

// An edge result that is looked at before it stands.
struct Attempt {
  Signals signals;
  Tokens completion;
  bool was_cut = false;       // It reached its token cap.
  bool has_answer = true;     // Something that looks like an answer was found in it.
  std::uint8_t voters = 0;    // Further edge results beside it.
  std::uint8_t agreeing = 0;  // Of them, those with the same answer as the first result.
  std::uint8_t distinct = 1;  // Different answers among all.
  double kept_share = 1;      // Weight of the answer that would stand, among all, 0..1.
  bool is_first_kept = true;  // The answer that would stand is the first result's.
};

}  // namespace hf
