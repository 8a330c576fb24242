// Enumerators as the single words that traces and flow files use.
#pragma once

#include <optional>
#include <string_view>

#include "model/plan.h"
#include "model/receipt.h"
#include "schedule/event.h"

namespace hf::sim {

[[nodiscard]] std::string_view word(PlanOutcome outcome);
[[nodiscard]] std::string_view word(Failure failure);
[[nodiscard]] std::string_view word(Prompt prompt);
[[nodiscard]] std::string_view word(Outcome outcome);

// The reverse; nothing for an unknown word.
[[nodiscard]] std::optional<PlanOutcome> plan_outcome_of(std::string_view word);
[[nodiscard]] std::optional<Failure> failure_of(std::string_view word);

}  // namespace hf::sim
