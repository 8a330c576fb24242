// Quantiles of durations in bounded memory, exact to one part in 64. Adding up is independent of
// the order.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/units.h"

namespace hf::sim {

class Histogram {
 public:
  void add(Duration duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    ++counts_[place_of(value)];
    ++total_;
    most_ = std::max(most_, duration);
  }

  // The smallest duration that is at least as long as this share of all; zero if there is none.
  [[nodiscard]] Duration quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] > 0 && (seen >= wanted || seen == total_)) return std::min(end_of(i), most_);
    }
    return Duration(0);
  }
  [[nodiscard]] Duration most() const { return most_; }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr std::uint64_t kParts = 1U << kBits;

  // Below kParts a value is its own place; from there on each doubling has kParts places.
  static std::size_t place_of(std::uint64_t value) {
    if (value < kParts) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (shift + 1) * kParts + ((value >> shift) & (kParts - 1));
  }
  static Duration end_of(std::size_t place) {
    if (place < kParts) return Duration(static_cast<std::int64_t>(place));
    const std::size_t shift = place / kParts - 1;
    return Duration(static_cast<std::int64_t>((((place % kParts) + kParts + 1) << shift) - 1));
  }

  std::array<std::uint64_t, 58 * kParts> counts_{};  // Up to 2^63.
  std::uint64_t total_ = 0;
  Duration most_{};
};

}  // namespace hf::sim
