// The price of a dollar, re-solved at every decision: what the gain of a dollar must be so that the
// money left is used up by the best of what is still to come.
//
// Keeps the last decisions with what they would have gained in the cloud and cost there. If `ahead`
// buys all that is to come and `left` is there, the price is the gain per dollar at which the best
// of these decisions, taken in falling order, use up the share left/ahead of their cost: the fluid
// relaxation solved anew with the residual budget (Jasin and Kumar, 2012; Arlotto and Gurvich,
// 2019). No outcome is needed, so a change of prices or of questions shows after a few decisions.
//
// Thread safety: none. No allocation after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hf {

class Reservoir {
 public:
  explicit Reservoir(std::size_t capacity);

  // Forgets the oldest when full. Costs below one pico-dollar count as one.
  void add(double gain, double usd);

  // Gain per dollar. `share` is left/ahead; from 1 on money is plenty and the price 0. Zero while
  // nothing is known.
  [[nodiscard]] double price(double share) const;

  [[nodiscard]] std::size_t size() const { return by_ratio_.size(); }

 private:
  struct Entry {
    double ratio = 0;
    double usd = 0;
    std::uint64_t order = 0;
  };
  const std::size_t capacity_;
  std::vector<Entry> by_ratio_;  // Falling.
  std::vector<double> ring_;     // The ratios in order of arrival, to find the oldest.
  std::uint64_t added_ = 0;
  double usd_sum_ = 0;
};

}  // namespace hf
