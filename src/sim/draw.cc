#include "sim/draw.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hf::sim {
namespace {

// A million dollars in picodollars: the largest amount of all.
constexpr double kMost = 1e18;

// Marsaglia's polar method.
double normal(Rng& rng) {
  while (true) {
    const double x = 2 * rng.unit() - 1;
    const double y = 2 * rng.unit() - 1;
    const double square = x * x + y * y;
    if (square > 0 && square < 1) return x * std::sqrt(-2 * natural_log(square) / square);
  }
}

}  // namespace

// x = m * 2^k with m near 1; the series of 2 artanh((m - 1) / (m + 1)) then converges fast.
double natural_log(double x) {
  int k = 0;
  double m = std::frexp(x, &k);
  if (m < std::numbers::sqrt2 / 2) {
    m *= 2;
    --k;
  }
  const double s = (m - 1) / (m + 1);
  double sum = 0;
  double power = s;
  for (int i = 1; i <= 23; i += 2) {
    sum += power / i;
    power *= s * s;
  }
  return k * std::numbers::ln2 + 2 * sum;
}

// x = k ln 2 + r with |r| <= ln 2 / 2, then Taylor's series for r.
double exponential(double x) {
  const double k = std::floor(x / std::numbers::ln2 + 0.5);
  const double r = x - k * std::numbers::ln2;
  double sum = 1;
  double term = 1;
  for (int i = 1; i <= 16; ++i) {
    term *= r / i;
    sum += term;
  }
  return std::ldexp(sum, static_cast<int>(k));
}

Draw Draw::lognormal(double median, double p95) {
  constexpr double kQuantile95 = 1.6448536269514722;  // Of the standard normal distribution.
  return {Shape::kLognormal, natural_log(median), natural_log(p95 / median) / kQuantile95};
}

double Draw::number(Rng& rng) const {
  double value = a_;
  if (shape_ == Shape::kUniform) value = a_ + b_ * rng.unit();
  if (shape_ == Shape::kExponential) value = a_ * -natural_log(1 - rng.unit());
  if (shape_ == Shape::kLognormal) {
    value = sim::exponential(std::clamp(a_ + b_ * normal(rng), -700.0, 700.0));
  }
  return std::clamp(value, 0.0, kMost);
}

std::int64_t Draw::count(Rng& rng) const {
  return std::llround(number(rng));
}

}  // namespace hf::sim
