#include "health/speed.h"

#include <algorithm>

namespace hf {
namespace {

Duration mean(Duration old, Duration seen) {
  return old == Duration(0) ? seen : old + (seen - old) / 4;
}

// Longer means a broken measurement, and keeps every product far from overflow.
constexpr Duration kLongestWait = std::chrono::hours(24);
constexpr Duration kLongestToken = std::chrono::minutes(1);
constexpr Tokens kMostTokens{10'000'000};

}  // namespace

void Speed::saw_first_token(Duration wait) {
  first_token_ = mean(first_token_, std::clamp(wait, Duration(1), kLongestWait));
}

void Speed::saw_answer(Duration duration, Tokens tokens) {
  if (tokens <= Tokens(0)) return;
  per_token_ = mean(per_token_, std::clamp(duration / tokens.count(), Duration(1), kLongestToken));
}

Duration Speed::predicted(Tokens tokens) const {
  return first_token_ + per_token_ * std::clamp(tokens, Tokens(0), kMostTokens).count();
}

}  // namespace hf
