#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "base/assert.h"

namespace hf::load {
namespace {

// Values below 2^13 have a bucket each. Every further doubling is cut into 2^12 buckets; told by
// its middle, a value is off by at most half a bucket's width: 2^-13 of it.
constexpr unsigned kExactBits = 13;
constexpr unsigned kTopBits = 42;
constexpr std::uint64_t kPerDoubling = 1U << (kExactBits - 1);
constexpr std::uint64_t kLargest = (std::uint64_t{1} << kTopBits) - 1;

std::uint64_t bucket_of(std::uint64_t value) {
  const auto bits = static_cast<unsigned>(std::bit_width(value));
  if (bits <= kExactBits) return value;
  const unsigned shift = bits - kExactBits;
  return shift * kPerDoubling + (value >> shift);
}

std::uint64_t middle_of(std::uint64_t bucket) {
  if (bucket < 2 * kPerDoubling) return bucket;
  const std::uint64_t shift = bucket / kPerDoubling - 1;
  const std::uint64_t low = (bucket - shift * kPerDoubling) << shift;
  return low + ((std::uint64_t{1} << shift) >> 1U);
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(kLargest) + 1) {}

void Histogram::record(Duration value) {
  const auto count = static_cast<std::uint64_t>(std::max(value.count(), Duration::rep{0}));
  ++buckets_[bucket_of(std::min(count, kLargest))];
  ++count_;
}

void Histogram::add(const Histogram& other) {
  std::ranges::transform(buckets_, other.buckets_, buckets_.begin(), std::plus());
  count_ += other.count_;
}

Duration Histogram::quantile(double share) const {
  HF_ASSERT(share >= 0 && share <= 1);
  if (count_ == 0) return {};
  const double wanted = std::ceil(share * static_cast<double>(count_));
  std::uint64_t left = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count_);
  std::size_t bucket = 0;
  for (; buckets_[bucket] < left; ++bucket) left -= buckets_[bucket];
  return Duration(static_cast<Duration::rep>(middle_of(bucket)));
}

}  // namespace hf::load
