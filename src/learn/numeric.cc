#include "learn/numeric.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hf::learn {
namespace {

// ln 2 as a sum whose first part has trailing zeros, so that a small multiple of it is exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kPerLn2 = 0x1.71547652b82fep+0;

constexpr auto kInverseFactorials = [] {
  std::array<double, 14> values{};
  double factorial = 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) factorial *= static_cast<double>(i);
    values[i] = 1 / factorial;
  }
  return values;
}();

}  // namespace

double exponential(double x) {
  if (std::isnan(x)) return x;
  x = std::clamp(x, -700.0, 700.0);
  const double twos = std::floor(x * kPerLn2 + 0.5);
  const double rest = (x - twos * kLn2High) - twos * kLn2Low;
  double sum = kInverseFactorials.back();
  for (std::size_t i = kInverseFactorials.size() - 1; i-- > 0;) {
    sum = sum * rest + kInverseFactorials[i];
  }
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(twos) + 1023);
  return sum * std::bit_cast<double>(exponent << 52U);
}

double logarithm(double x) {
  if (!(x > 0)) x = std::numeric_limits<double>::min();
  int twos = 0;
  double part = std::frexp(x, &twos);  // [0.5, 1)
  if (part < 0x1.6a09e667f3bcdp-1) {
    part *= 2;
    --twos;
  }
  const double ratio = (part - 1) / (part + 1);
  const double square = ratio * ratio;
  double sum = 0;
  for (int odd = 23; odd >= 1; odd -= 2) sum = sum * square + 1.0 / odd;
  return twos * kLn2High + (2 * ratio * sum + twos * kLn2Low);
}

double sigmoid(double x) {
  const double tail = exponential(-std::abs(x));
  return (x < 0 ? tail : 1.0) / (1 + tail);
}

std::optional<std::vector<double>> cholesky(std::vector<double> matrix, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    double* const row = &matrix[triangle(i, 0)];
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const other = &matrix[triangle(j, 0)];
      double rest = row[j];
      for (std::size_t k = 0; k < j; ++k) rest -= row[k] * other[k];
      if (j < i) {
        row[j] = rest / other[j];
      } else if (rest > 0 && std::isfinite(rest)) {
        row[i] = std::sqrt(rest);
      } else {
        return std::nullopt;
      }
    }
  }
  return matrix;
}

void solve(std::span<const double> factor, std::span<double> b) {
  for (std::size_t i = 0; i < b.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= factor[triangle(i, k)] * b[k];
    b[i] /= factor[triangle(i, i)];
  }
  for (std::size_t i = b.size(); i-- > 0;) {
    for (std::size_t k = i + 1; k < b.size(); ++k) b[i] -= factor[triangle(k, i)] * b[k];
    b[i] /= factor[triangle(i, i)];
  }
}

std::vector<double> inverse_by_columns(std::span<const double> factor, std::size_t size) {
  std::vector<double> inverse;
  inverse.reserve(triangle(size, 0));
  std::vector<double> column(size);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t row = i; row < size; ++row) {
      double rest = row == i ? 1 : 0;
      for (std::size_t k = i; k < row; ++k) rest -= factor[triangle(row, k)] * column[k];
      column[row] = rest / factor[triangle(row, row)];
      inverse.push_back(column[row]);
    }
  }
  return inverse;
}

}  // namespace hf::learn
