#include "route/vote.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "base/assert.h"

namespace hf {
namespace {

constexpr double kWrongAnswers = 9;
constexpr std::size_t kCallsMax = UINT8_MAX + 1;

}  // namespace

double vote_weight(double accuracy) {
  const double p = std::clamp(accuracy, 0.01, 0.99);
  return std::max(0.0, std::log(kWrongAnswers * p / (1 - p)));
}

std::size_t count_votes(std::span<const Ballot> ballots, Attempt& attempt) {
  HF_ASSERT(!ballots.empty() && ballots.size() <= UINT8_MAX);
  const auto weight_of = [&](std::string_view answer) {
    double sum = 0;
    for (const Ballot& each : ballots) sum += each.answer == answer ? each.weight : 0;
    return sum;
  };
  double total = 0;
  double best = -1;
  std::size_t kept = 0;
  std::uint8_t distinct = 0;
  std::uint8_t agreeing = 0;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    const std::string_view answer = ballots[i].answer;
    total += ballots[i].weight;
    if (i > 0 && !answer.empty() && answer == ballots[0].answer) ++agreeing;
    const auto earlier = ballots.first(i);
    const auto is_same = [&](const Ballot& other) { return other.answer == answer; };
    if (std::ranges::any_of(earlier, is_same)) continue;
    ++distinct;
    const double weight = answer.empty() ? 0 : weight_of(answer);
    if (weight > best) {
      best = weight;
      kept = i;
    }
  }
  attempt.has_answer = !ballots[kept].answer.empty();
  attempt.voters = static_cast<std::uint8_t>(ballots.size() - 1);
  attempt.agreeing = agreeing;
  attempt.distinct = distinct;
  attempt.kept_share = total > 0 ? std::max(best, 0.0) / total : 0;
  attempt.is_first_kept = kept == 0;
  return kept;
}

Duration time_of_calls(std::span<const Duration> calls, std::uint32_t places) {
  HF_ASSERT(places > 0 && calls.size() <= kCallsMax);
  std::array<Duration, kCallsMax> ends{};  // Of the calls that hold a place.
  const auto held = std::span(ends).first(std::min<std::size_t>(places, calls.size()));
  for (const Duration call : calls) *std::ranges::min_element(held) += call;
  return held.empty() ? Duration(0) : *std::ranges::max_element(held);
}

}  // namespace hf
