// Goal: the elementary functions are as exact as they say, and the small linear algebra is right.
// Method: against the C library, and by multiplying back.
#include "learn/numeric.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/rng.h"

namespace hf::learn {
namespace {

TEST(Numeric, ExponentialAndLogarithmAgreeWithTheLibrary) {
  for (double x = -699.5; x < 700; x += 0.37) {
    EXPECT_NEAR(exponential(x) / std::exp(x), 1, 1e-14) << x;
    EXPECT_NEAR(logarithm(std::exp(x)), x, 1e-14 * std::abs(x) + 1e-15) << x;
  }
  for (double x = 0.5; x < 2; x += 0.001) EXPECT_NEAR(logarithm(x), std::log(x), 1e-15) << x;
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(logarithm(1), 0);
}

TEST(Numeric, ExtremesStayFinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isfinite(exponential(kInfinity)));
  EXPECT_GT(exponential(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(exponential(std::nan(""))));
  EXPECT_NEAR(logarithm(0), -708.4, 0.1);
  EXPECT_EQ(logarithm(-1), logarithm(0));
  EXPECT_NEAR(logarithm(std::numeric_limits<double>::denorm_min()), -744.44, 0.01);
  EXPECT_EQ(sigmoid(kInfinity), 1);
  EXPECT_GE(sigmoid(-kInfinity), 0);
  EXPECT_LT(sigmoid(-kInfinity), 1e-300);
}

TEST(Numeric, SigmoidIsSymmetric) {
  for (double x = -30; x < 30; x += 0.1) EXPECT_NEAR(sigmoid(x) + sigmoid(-x), 1, 1e-15);
  EXPECT_EQ(sigmoid(0), 0.5);
}

// A random B B' + I as a lower triangle.
std::vector<double> random_definite(std::size_t n, Rng& rng) {
  std::vector<double> b(n * n);
  for (double& each : b) each = rng.unit() - 0.5;
  std::vector<double> matrix;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const auto row = [&](std::size_t r) {
        return b.begin() + static_cast<std::ptrdiff_t>(r * n);
      };
      matrix.push_back(std::inner_product(row(i), row(i + 1), row(j), i == j ? 1.0 : 0.0));
    }
  }
  return matrix;
}

RC_GTEST_PROP(Numeric, SolvesWhatItFactors, (std::uint64_t seed)) {
  Rng rng(seed);
  const std::size_t n = 1 + rng.below(20);
  const std::vector<double> matrix = random_definite(n, rng);
  const auto factor = cholesky(matrix, n);
  RC_ASSERT(factor.has_value());
  std::vector<double> x(n);
  for (double& each : x) each = rng.unit() * 10 - 5;
  std::vector<double> b(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      b[i] += matrix[i >= j ? triangle(i, j) : triangle(j, i)] * x[j];
    }
  }
  solve(*factor, b);
  for (std::size_t i = 0; i < n; ++i) RC_ASSERT(std::abs(b[i] - x[i]) < 1e-9);
}

RC_GTEST_PROP(Numeric, TheInverseFactorTimesTheFactorIsOne, (std::uint64_t seed)) {
  Rng rng(seed);
  const std::size_t n = 1 + rng.below(20);
  const auto factor = cholesky(random_definite(n, rng), n);
  RC_ASSERT(factor.has_value());
  const std::vector<double> columns = inverse_by_columns(*factor, n);
  RC_ASSERT(columns.size() == triangle(n, 0));
  std::size_t start = 0;
  for (std::size_t column = 0; column < n; start += n - column, ++column) {
    for (std::size_t row = column; row < n; ++row) {
      double sum = 0;
      for (std::size_t k = column; k <= row; ++k) {
        sum += (*factor)[triangle(row, k)] * columns[start + k - column];
      }
      RC_ASSERT(std::abs(sum - (row == column ? 1 : 0)) < 1e-12);
    }
  }
}

TEST(Numeric, AMatrixThatIsNotDefiniteHasNoFactor) {
  EXPECT_FALSE(cholesky({1, 2, 1}, 2));
  EXPECT_FALSE(cholesky({0}, 1));
  EXPECT_FALSE(cholesky({std::nan("")}, 1));
  EXPECT_TRUE(cholesky({}, 0));
}

}  // namespace
}  // namespace hf::learn
