// Which of several edge results to the same subtask stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"
#include "model/signals.h"

namespace hf {

struct Ballot {
  std::string_view answer;  // Normalised; "" is no answer and never stands while there is another.
  double weight = 1;        // See vote_weight.
};

// The weight that makes a weighted majority the most probable answer, if results err independently
// and errors spread evenly over ten answers (naive Bayes): log(9 p / (1 - p)), at least 0.
[[nodiscard]] double vote_weight(double accuracy);

// Index of the ballot whose answer stands; ties go to the earlier one. `attempt` gets the counts;
// the first ballot is the first result. REQUIRES: at least one ballot, at most 255.
std::size_t count_votes(std::span<const Ballot> ballots, Attempt& attempt);

// How long it takes until `calls` are over, started in their order on `places` at once.
// REQUIRES: at least one place.
[[nodiscard]] Duration time_of_calls(std::span<const Duration> calls, std::uint32_t places);

}  // namespace hf
