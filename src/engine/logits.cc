#include "engine/logits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hf::engine {
namespace {

// exp(x) for x <= 0, within 3e-7 relative, 0 below -80. Branch-free so that the compiler can do
// several at once: 2^n from the exponent bits, 2^f on [-0.5, 0.5] from a polynomial.
float fast_exp(float x) {
  const float clamped = std::max(x, -80.0F);
  const float scaled = clamped * 1.44269504F;
  const float shifted = scaled + 12582912.0F;  // 1.5 * 2^23 rounds to the nearest integer.
  const float f = scaled - (shifted - 12582912.0F);
  float p = 0.00133395F;
  p = p * f + 0.00961813F;
  p = p * f + 0.05550411F;
  p = p * f + 0.24022651F;
  p = p * f + 0.69314718F;
  p = p * f + 1.0F;
  const std::uint32_t n = std::bit_cast<std::uint32_t>(shifted) << 23U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + n);
}

constexpr std::size_t kLanes = 16;

}  // namespace

LogitScan scan(std::span<const float> logits) {
  // Lanes let the loops run on vectors without reordering any lane's own sums.
  std::array<float, kLanes> first;
  std::array<float, kLanes> next;
  first.fill(-std::numeric_limits<float>::infinity());
  next = first;
  const std::size_t whole = logits.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = logits[i + lane];
      next[lane] = std::max(next[lane], std::min(value, first[lane]));
      first[lane] = std::max(first[lane], value);
    }
  }
  LogitScan result{.highest = -std::numeric_limits<float>::infinity(),
                   .second = -std::numeric_limits<float>::infinity()};
  const auto take = [&result](float value) {
    result.second = std::max(result.second, std::min(value, result.highest));
    result.highest = std::max(result.highest, value);
  };
  for (const float value : first) take(value);
  for (const float value : next) take(value);
  for (std::size_t i = whole; i < logits.size(); ++i) take(logits[i]);
  const auto best = std::ranges::find(logits, result.highest);
  result.best = best == logits.end() ? 0 : static_cast<Token>(best - logits.begin());  // All NaN.

  std::array<float, kLanes> sums{};
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += fast_exp(logits[i + lane] - result.highest);
    }
  }
  double sum = 0;
  for (const float part : sums) sum += static_cast<double>(part);
  for (std::size_t i = whole; i < logits.size(); ++i) {
    sum += static_cast<double>(fast_exp(logits[i] - result.highest));
  }
  result.log_sum = static_cast<double>(result.highest) + std::log(sum);
  return result;
}

std::vector<std::pair<Token, float>> highest(std::span<const float> logits, std::size_t count) {
  std::vector<std::pair<Token, float>> heap;  // The lowest of the best on top.
  const auto is_better = [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  count = std::min(count, logits.size());
  if (count == 0) return heap;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::pair entry(static_cast<Token>(i), logits[i]);
    if (heap.size() == count) {
      if (!(logits[i] > heap.front().second)) continue;
      std::ranges::pop_heap(heap, is_better);
      heap.back() = entry;
    } else {
      heap.push_back(entry);
    }
    std::ranges::push_heap(heap, is_better);
  }
  std::ranges::sort_heap(heap, is_better);
  return heap;
}

}  // namespace hf::engine
