#include "route/linear_bandit.h"

#include <algorithm>
#include <cmath>

namespace hf {

LinearBandit::LinearBandit(double ridge, double forgetting)
    : forgetting_(forgetting), trace_max_(static_cast<double>(kSize) / ridge) {
  for (std::size_t i = 0; i < kSize; ++i) inverse_[i][i] = 1 / ridge;
}

LinearBandit::Vector LinearBandit::with_constant(const PriorFeatures& inputs) {
  Vector x{};
  std::ranges::copy(inputs, x.begin());
  x.back() = 1;
  return x;
}

LinearBandit::Vector LinearBandit::times_inverse(const Vector& x) const {
  Vector result{};
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j < kSize; ++j) result[i] += inverse_[i][j] * x[j];
  }
  return result;
}

double LinearBandit::mean(const PriorFeatures& inputs) const {
  const Vector x = with_constant(inputs);
  double sum = 0;
  for (std::size_t i = 0; i < kSize; ++i) sum += weights_[i] * x[i];
  return sum;
}

double LinearBandit::width(const PriorFeatures& inputs) const {
  const Vector x = with_constant(inputs);
  const Vector y = times_inverse(x);
  double sum = 0;
  for (std::size_t i = 0; i < kSize; ++i) sum += x[i] * y[i];
  return std::sqrt(std::max(sum, 0.0));
}

// Recursive least squares: the inverse by Sherman and Morrison, the weights by the gain vector.
void LinearBandit::learn(const PriorFeatures& inputs, double reward) {
  const Vector x = with_constant(inputs);
  const Vector y = times_inverse(x);
  double denominator = forgetting_;
  for (std::size_t i = 0; i < kSize; ++i) denominator += x[i] * y[i];
  const double error = reward - mean(inputs);
  double trace = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    weights_[i] += y[i] / denominator * error;
    for (std::size_t j = 0; j < kSize; ++j) {
      inverse_[i][j] = (inverse_[i][j] - y[i] * y[j] / denominator) / forgetting_;
    }
    trace += inverse_[i][i];
  }
  if (trace <= trace_max_) return;
  for (Vector& row : inverse_) {
    for (double& each : row) each *= trace_max_ / trace;
  }
}

}  // namespace hf
