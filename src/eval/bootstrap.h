// 95 % intervals by the paired bootstrap: the same queries are drawn for everything that is
// compared.
//
// One entry of every list is one query: rows of a query are not independent and must be summed up
// first. Deterministic for a seed. Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace hf::eval {

struct BootstrapInterval {
  double value = 0;  // Of the data themselves.
  double low = 0;    // The 2.5th and
  double high = 0;   // the 97.5th percentile of the resamples.
};

struct BootstrapOptions {
  std::uint64_t seed = 1;
  std::size_t resamples = 2000;
};

// Of any figure that is a function of how often each of `queries` queries occurs.
// REQUIRES: at least one query and one resample.
BootstrapInterval bootstrap(
    std::size_t queries, const std::function<double(std::span<const std::uint32_t> times)>& figure,
    const BootstrapOptions& options = {});

// Mean of x; of a - b; sum of `above` over sum of `below` (0 where that is 0).
// REQUIRES: lists are not empty and of one length.
BootstrapInterval bootstrap_mean(std::span<const double> x, const BootstrapOptions& options = {});
BootstrapInterval bootstrap_difference(std::span<const double> a, std::span<const double> b,
                                       const BootstrapOptions& options = {});
BootstrapInterval bootstrap_ratio(std::span<const double> above, std::span<const double> below,
                                  const BootstrapOptions& options = {});

}  // namespace hf::eval
