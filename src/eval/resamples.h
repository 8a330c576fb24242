// Many figures of the same queries with 95 % intervals from one and the same set of resamples, as
// paired comparisons need it; cheaper than a bootstrap each (bootstrap.h).
//
// Thread safety: may be asked from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/bootstrap.h"

namespace hf::eval {

class Resamples {
 public:
  // REQUIRES: at least one query and one resample.
  Resamples(std::size_t queries, std::size_t count, std::uint64_t seed);

  // Sum of `above` over sum of `below`, an entry a query; 0 where the latter is 0.
  // REQUIRES: both have as many entries as there are queries.
  [[nodiscard]] BootstrapInterval ratio(std::span<const double> above,
                                        std::span<const double> below) const;

 private:
  const std::size_t queries_;
  std::vector<std::uint8_t> times_;  // How often each query was drawn, one resample after another.
};

}  // namespace hf::eval
