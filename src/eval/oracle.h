// The clairvoyant optimum of a budget: one option of every group, so that the sum of values is the
// highest that the budget allows. A subtask that may be sent to the cloud is a group of two
// options; a query with all its assignments is a group of many (graph_oracle.h). Whether values are
// true outcomes or predictions is up to the caller.
//
// Everything is in integers, so that "exact" means exact. Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hf::eval {

// Values are usually from 0 to 1; an option's value counts their millionths.
inline constexpr std::int64_t kValueUnits = 1'000'000;
std::int64_t value_units(double value);

struct OracleOption {
  std::int64_t value = 0;  // May be negative.
  std::int64_t cost = 0;   // Picodollars, or any unit that the budget has, too.

  friend bool operator==(const OracleOption&, const OracleOption&) = default;
};

struct OracleChoice {
  std::vector<std::uint32_t> chosen;  // Index of an option for every group.
  std::int64_t value = 0;
  std::int64_t cost = 0;
  double bound = 0;      // The optimum if options could be mixed in parts: never below `value`.
  bool is_exact = true;  // Or `work_max` was reached: the optimum is between `value` and `bound`.
};

// Bounds time and memory (32 bytes a state); about a second.
inline constexpr std::size_t kOracleWorkMax = 20'000'000;

// nullopt if even the cheapest options cost more than the budget.
// REQUIRES: no group is empty; sums of values and of costs stay below 2^61.
std::optional<OracleChoice> best_choices(std::span<const std::vector<OracleOption>> groups,
                                         std::int64_t budget,
                                         std::size_t work_max = kOracleWorkMax);

// The 0/1 knapsack: each item is bought (chosen 1) or not (0). What is worth nothing, or less, is
// never bought. REQUIRES: costs and the budget are not negative, sums as above.
OracleChoice best_items(std::span<const OracleOption> items, std::int64_t budget,
                        std::size_t work_max = kOracleWorkMax);

}  // namespace hf::eval
