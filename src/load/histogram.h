// Counts of durations by size, for quantiles: exact below 8,192 ns, above with a relative error of
// at most 1 part in 8,192, because what a proxy adds is the small difference of two large
// quantiles. About a megabyte, whatever is recorded.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/units.h"

namespace hf::load {

class Histogram {
 public:
  Histogram();

  // Negative durations count as zero, those above the largest (about 73 minutes) as the largest.
  void record(Duration value);
  void add(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The smallest value (to within the error) that at least this share of all values does not
  // exceed; zero if there are none. REQUIRES: 0 <= share <= 1.
  [[nodiscard]] Duration quantile(double share) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
};

}  // namespace hf::load
