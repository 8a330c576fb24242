// Random amounts that are the same on every machine: durations and counts from simple
// distributions.
//
// Only additions, multiplications, divisions and square roots are used, which IEEE 754 rounds
// exactly, and never contracted (-ffp-contract=off): the library's own log and exp may differ in
// their last bit between machines, these cannot. Thread safety: none needed, all values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rng.h"
#include "base/units.h"

namespace hf::sim {

// REQUIRES: x is positive and finite.
[[nodiscard]] double natural_log(double x);
// REQUIRES: |x| <= 700.
[[nodiscard]] double exponential(double x);

// A distribution over numbers that are not negative; durations count in nanoseconds.
class Draw {
 public:
  constexpr Draw() = default;  // Always zero.
  [[nodiscard]] static Draw constant(double value) { return {Shape::kConstant, value, 0}; }
  // REQUIRES: low <= high.
  [[nodiscard]] static Draw uniform(double low, double high) {
    return {Shape::kUniform, low, high - low};
  }
  [[nodiscard]] static Draw exponential(double mean) { return {Shape::kExponential, mean, 0}; }
  // REQUIRES: 0 < median <= p95.
  [[nodiscard]] static Draw lognormal(double median, double p95);

  [[nodiscard]] double number(Rng& rng) const;
  // Rounded to the nearest whole.
  [[nodiscard]] std::int64_t count(Rng& rng) const;
  // At most a day, so that sums of many fit.
  [[nodiscard]] Duration duration(Rng& rng) const {
    return std::min(Duration(count(rng)), Duration(std::chrono::hours(24)));
  }

 private:
  enum class Shape : std::uint8_t { kConstant, kUniform, kExponential, kLognormal };
  Draw(Shape shape, double a, double b) : shape_(shape), a_(a), b_(b) {}

  Shape shape_ = Shape::kConstant;
  double a_ = 0;
  double b_ = 0;
};

}  // namespace hf::sim
