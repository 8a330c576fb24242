// One arm of a linear bandit: the expected reward is a linear function of what is known before a
// task runs, with a width that shrinks as rows come in (LinUCB: Li et al., 2010), and old rows fade
// (geometric forgetting).
//
// Thread safety: none. No allocation.
#pragma once

#include <array>
#include <cstddef>

#include "route/features.h"

namespace hf {

class LinearBandit {
 public:
  // `forgetting` is the factor by which a row's weight shrinks with each later one, above 0 to 1.
  LinearBandit(double ridge, double forgetting);

  [[nodiscard]] double mean(const PriorFeatures& inputs) const;
  // sqrt(x' A^-1 x).
  [[nodiscard]] double width(const PriorFeatures& inputs) const;

  void learn(const PriorFeatures& inputs, double reward);

 private:
  static constexpr std::size_t kSize = kPriorFeatures + 1;  // And a constant.
  using Vector = std::array<double, kSize>;

  static Vector with_constant(const PriorFeatures& inputs);
  [[nodiscard]] Vector times_inverse(const Vector& x) const;

  const double forgetting_;
  double trace_max_ = 0;                 // Of the inverse: what was never seen must not blow up.
  std::array<Vector, kSize> inverse_{};  // A^-1.
  Vector weights_{};
};

}  // namespace hf
