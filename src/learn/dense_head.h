// Logistic and linear regression on a short dense vector, each with what it knows about its own
// error. Inputs are standardised inside; an input that is not a number counts as the mean, and one
// far outside of what training saw as just outside.
// Thread safety: const functions may be called from any thread; they allocate nothing.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace hf::learn {

inline constexpr std::size_t kDenseMax = 64;  // Inputs of a dense head.

// To mean 0 and standard deviation 1 over the training rows.
struct Standard {
  std::vector<double> mean;
  std::vector<double> scale;  // 1 / standard deviation; 0 for an input that never varied.

  // Writes 1 and then the standardised inputs. REQUIRES: as many inputs as means, `to` one longer.
  void apply(std::span<const float> inputs, std::span<double> to) const;

  friend bool operator==(const Standard&, const Standard&) = default;
};

// Rows of equal length, one after the other, each with what is to be predicted.
struct DenseRows {
  std::size_t size = 0;  // Inputs a row, at most kDenseMax.
  std::vector<float> inputs;
  std::vector<double> targets;

  [[nodiscard]] std::span<const float> row(std::size_t i) const;
};

struct Estimate {
  double logit = 0;
  double probability = 0;
  double error = 0;  // Standard error of the probability, from how little data stood near.
};

// P(right) = sigmoid(weights * standardised inputs).
struct DenseHead {
  Standard standard;
  std::vector<double> weights;  // The bias first.
  std::vector<double> spread;   // The inverse Cholesky factor of the Hessian (inverse_by_columns).

  // REQUIRES: as many inputs as at the fit.
  [[nodiscard]] Estimate predict(std::span<const float> inputs) const;

  friend bool operator==(const DenseHead&, const DenseHead&) = default;
};

// Newton's method with a penalty of ridge/2 * |weights|^2, the bias left free but for a trace.
// Fails if there are no rows, too many inputs, an input that is not finite or a target outside
// 0..1.
Result<DenseHead> fit_logistic(const DenseRows& rows, double ridge);

// A count whose logarithm is normally distributed.
struct CountEstimate {
  double log_mean = 0;
  double log_sd = 0;

  [[nodiscard]] double median() const;
  [[nodiscard]] double mean() const;
  [[nodiscard]] double p90() const;
};

// The logarithm of a count (at least 1) by ridge regression, with the spread of what remains.
struct CountHead {
  Standard standard;
  std::vector<double> weights;  // The bias first.
  double log_sd = 0;            // Of the residuals.
  double log_low = 0;           // Smallest and largest logarithm seen; predictions stay between.
  double log_high = 0;

  // REQUIRES: as many inputs as at the fit.
  [[nodiscard]] CountEstimate predict(std::span<const float> inputs) const;

  friend bool operator==(const CountHead&, const CountHead&) = default;
};

// The targets are counts. Fails as fit_logistic does, and if a count is negative or not finite.
Result<CountHead> fit_counts(const DenseRows& rows, double ridge);

}  // namespace hf::learn
