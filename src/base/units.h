// Quantities that must never be mixed up, and a time line that nobody below runtime/ can read.
#pragma once

#include <chrono>
#include <cmath>
#include <compare>
#include <cstdint>

namespace hf {

// A count of one kind of thing. It adds to and compares with its own kind only, and converts to
// nothing: `Tokens + PicoUsd` and `Tokens n = 5` do not compile.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(std::int64_t count) : count_(count) {}
  [[nodiscard]] constexpr std::int64_t count() const { return count_; }

  constexpr Quantity& operator+=(Quantity other) {
    count_ += other.count_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    count_ -= other.count_;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  friend constexpr Quantity operator*(Quantity a, std::int64_t times) {
    return Quantity(a.count_ * times);
  }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;

 private:
  std::int64_t count_ = 0;
};

using Tokens = Quantity<struct TokensTag>;

// A trillionth of a dollar. A list price of $0.0375 per million tokens is 37,500 per token: exact.
// 64 bits reach $9 million.
using PicoUsd = Quantity<struct PicoUsdTag>;

inline constexpr std::int64_t kPicoPerUsd = 1'000'000'000'000;

// Dollars as a number, for people and files: exact to 15 digits, and never for sums.
constexpr double to_usd(PicoUsd usd) {
  return static_cast<double>(usd.count()) / static_cast<double>(kPicoPerUsd);
}
// Rounded to the nearest. REQUIRES: |usd| < 9e6.
inline PicoUsd from_usd(double usd) {
  return PicoUsd(std::llround(usd * static_cast<double>(kPicoPerUsd)));
}

// A clock type without now(): time enters the core as an argument or not at all.
struct Timeline {
  using duration = std::chrono::nanoseconds;
};
using Duration = Timeline::duration;
using TimePoint = std::chrono::time_point<Timeline, Duration>;

constexpr double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace hf
