// The few functions of analysis the learners need, made of IEEE additions and multiplications only:
// C libraries, and processors with and without fused multiply-add, differ in the last bit of exp
// and log, and training would carry that bit into the weights. Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace hf::learn {

// e^x to about 1e-15; x is clamped to +-700, NaN stays NaN.
double exponential(double x);

// Natural logarithm to about 1e-15; of anything not above 0 the logarithm of the least number
// above.
double logarithm(double x);

// 1 / (1 + e^-x), without overflow.
double sigmoid(double x);

// The scalar product, summed from the front. REQUIRES: b has at least the size of a.
inline double product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// A symmetric matrix is kept as its lower triangle, row by row: (i, j) with j <= i stands here.
constexpr std::size_t triangle(std::size_t i, std::size_t j) {
  return i * (i + 1) / 2 + j;
}

// The lower factor L of a positive definite matrix, L L' = matrix; none if it is not one.
std::optional<std::vector<double>> cholesky(std::vector<double> matrix, std::size_t size);

// Solves L L' x = b in place.
void solve(std::span<const double> factor, std::span<double> b);

// The inverse of L, packed column by column: column i has the rows from i on.
std::vector<double> inverse_by_columns(std::span<const double> factor, std::size_t size);

}  // namespace hf::learn
