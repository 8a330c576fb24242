// From a score to a probability that means what it says: the monotone map that fits best (pool
// adjacent violators), drawn through the centres of its blocks.
// Thread safety: const functions may be called from any thread; they allocate nothing.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hf::learn {

struct IsotonicRow {
  double score = 0;  // Finite.
  double target = 0;
  double weight = 1;  // Above 0.
};

// A block of rows that the best monotone map gives one value.
struct IsotonicBlock {
  double score = 0;  // Weighted means of the block.
  double target = 0;
  double weight = 0;
};

// The blocks, by score; their values rise strictly.
std::vector<IsotonicBlock> pooled(std::span<const IsotonicRow> rows);

// Joins neighbours, those first that cost the least accuracy, until there are at most `count`
// blocks and none is lighter than `weight_min`.
std::vector<IsotonicBlock> merged(std::vector<IsotonicBlock> blocks, std::size_t count,
                                  double weight_min);

// Piecewise linear between knots and flat outside of them; with no knot it is the sigmoid. Values
// stay within kLowest..kHighest: nothing is ever certain.
struct IsotonicMap {
  static constexpr double kLowest = 0.001;
  static constexpr double kHighest = 0.999;
  static constexpr std::size_t kKnotsMax = 64;

  std::vector<double> scores;  // Strictly ascending.
  std::vector<double> values;  // Ascending, as many.

  // REQUIRES: `score` is not NaN.
  [[nodiscard]] double operator()(double score) const;

  friend bool operator==(const IsotonicMap&, const IsotonicMap&) = default;
};

// The map of `rows`. With fewer than kIsotonicRowsMin of them it has no knots: a step function of
// so little would be noise.
inline constexpr std::size_t kIsotonicRowsMin = 100;
IsotonicMap fit_isotonic(std::span<const IsotonicRow> rows);

}  // namespace hf::learn
