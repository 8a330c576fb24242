// Outcome rows (model/outcome.h) as lines of JSON, and back. docs/outcomes.md shows the schema.
//
// Knows single lines only; what must hold between rows is checked in eval/outcomes.h.
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/outcome.h"

namespace hf::wire {

// Limits of one arm, on reading.
inline constexpr std::int64_t kOutcomeTokensMax = 100'000'000;
inline constexpr double kOutcomeUsdMax = 1000;  // Far below what a double of dollars loses.
inline constexpr double kOutcomeSecondsMax = 1e9;

// Reads one line; `number` is the line's, for messages. Members that it does not know are ignored;
// an error names the line and the member.
Result<OutcomeRow> read_outcome_line(std::string_view line, std::size_t number);

// The row as one line without its end, the same bytes for the same row: money to the picodollar,
// other fractions to 15 digits. Text that is no UTF-8 is repaired. REQUIRES: the numbers are within
// the limits of reading.
std::string write_outcome_line(const OutcomeRow& row);

}  // namespace hf::wire
