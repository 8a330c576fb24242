// 95 % intervals by the paired bootstrap: the same queries are drawn for everything that is
// compared.
//
// One entry of every list is one query: rows of a query are not independent and must be summed up
// first. Deterministic for a seed.
//
// Thread safety: may be asked from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hf::eval {

struct BootstrapInterval {
  double value = 0;  // Of the data themselves.
  double low = 0;    // The 2.5th and
  double high = 0;   // the 97.5th percentile of the resamples.
};

class Resamples {
 public:
  // REQUIRES: at least one query and one resample.
  Resamples(std::size_t queries, std::size_t count, std::uint64_t seed);

  // Sum of `above` over sum of `below`, an entry a query; 0 where the latter is 0. The mean
  // of a list is its ratio to ones.
  // REQUIRES: both have as many entries as there are queries.
  [[nodiscard]] BootstrapInterval ratio(std::span<const double> above,
                                        std::span<const double> below) const;

 private:
  const std::size_t queries_;
  std::vector<std::uint8_t> times_;  // How often each query was drawn, one resample after another.
};

}  // namespace hf::eval
