#include "sim/words.h"

#include <array>
#include <cstddef>

namespace hf::sim {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> kPlanOutcomes = {"complete", "truncated", "useless"};
constexpr std::array<std::string_view, 5> kPrompts = {"plan", "replan", "subtask", "sink", "whole"};
constexpr std::array<std::string_view, 6> kOutcomes = {"answered", "degraded",    "refused",
                                                       "deadline", "unavailable", "cancelled"};

template <class Enum, std::size_t kSize>
std::optional<Enum> find(const std::array<std::string_view, kSize>& words, std::string_view word) {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (words[i] == word) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view word(PlanOutcome outcome) {
  return kPlanOutcomes[static_cast<std::size_t>(outcome)];
}
std::string_view word(Failure failure) {
  return name_of(failure);
}
std::string_view word(Prompt prompt) {
  return kPrompts[static_cast<std::size_t>(prompt)];
}
std::string_view word(Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

std::optional<PlanOutcome> plan_outcome_of(std::string_view word) {
  return find<PlanOutcome>(kPlanOutcomes, word);
}
std::optional<Failure> failure_of(std::string_view word) {
  for (std::size_t i = 0; i < kFailures; ++i) {
    if (name_of(static_cast<Failure>(i)) == word) return static_cast<Failure>(i);
  }
  return std::nullopt;
}

}  // namespace hf::sim
