#include "eval/tally.h"

#include <algorithm>
#include <cmath>

namespace hf::eval {

void add_to(std::vector<ArmTally>& tallies, const OutcomeRow& row) {
  for (const ArmOutcome& arm : row.arms) {
    auto tally = std::ranges::find(tallies, arm.endpoint, &ArmTally::endpoint);
    if (tally == tallies.end()) {
      tallies.push_back(
          {.endpoint = arm.endpoint, .tier = arm.tier, .prompt = {}, .completion = {}, .usd = {}});
      tally = tallies.end() - 1;
    }
    ++tally->rows;
    tally->right += arm.correct;
    tally->prompt += arm.prompt;
    tally->completion += arm.completion;
    tally->usd += arm.usd;
    tally->seconds += arm.seconds;
  }
}

Share wilson(double right, std::size_t rows) {
  if (rows == 0) return {};
  constexpr double kZ = 1.959964;
  const auto n = static_cast<double>(rows);
  const double share = right / n;
  const double square = kZ * kZ / n;
  const double middle = (share + square / 2) / (1 + square);
  const double half = kZ * std::sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square);
  return {
      .value = share, .low = std::max(0.0, middle - half), .high = std::min(1.0, middle + half)};
}

}  // namespace hf::eval
