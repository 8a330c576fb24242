// Our own random numbers, because the standard distributions differ between libraries and a seed
// must give the same run everywhere. Split one generator per purpose.
#pragma once

#include <cstdint>

namespace hf {

// One step of SplitMix64 (Steele, Lea, Flood 2014): a good 64-bit mixer, also used to derive seeds.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

class Rng {
 public:
  constexpr explicit Rng(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    const std::uint64_t value = mix(state_);
    state_ += 0x9e3779b97f4a7c15U;
    return value;
  }

  // Uniform in [0, bound). REQUIRES: bound > 0. The bias is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64U);
  }

  // Uniform in [0, 1), a multiple of 2^-53.
  constexpr double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

  // An independent generator for one purpose.
  constexpr Rng split(std::uint64_t purpose) { return Rng(mix(next() ^ mix(purpose))); }

 private:
  std::uint64_t state_;
};

}  // namespace hf
