#include "learn/dense_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/assert.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

constexpr double kFarthest = 8;      // In standard deviations.
constexpr double kBiasRidge = 1e-6;  // Keeps the Hessian definite when all targets agree.
constexpr double kNinetieth = 1.2815515655446004;  // Quantile of the normal distribution.

using Augmented = std::array<double, kDenseMax + 1>;  // 1, then the standardised inputs.

double ridge_of(std::size_t weight, double ridge) {
  return weight == 0 ? kBiasRidge : ridge;
}

Result<void> check(const DenseRows& rows, double target_max, const char* what) {
  if (rows.targets.empty()) return fail(Code::kInvalidInput, "There are no rows to learn from.");
  if (rows.size > kDenseMax || rows.inputs.size() != rows.size * rows.targets.size()) {
    return fail(Code::kInvalidInput,
                fmt::format("The rows have {} numbers for {} targets; each row "
                            "needs the same number of inputs, at most {}.",
                            rows.inputs.size(), rows.targets.size(), kDenseMax));
  }
  for (std::size_t i = 0; i < rows.inputs.size(); ++i) {
    if (std::isfinite(rows.inputs[i])) continue;
    return fail(Code::kInvalidInput, fmt::format("Input {} of row {} is not a finite number.",
                                                 i % rows.size, i / rows.size));
  }
  for (std::size_t i = 0; i < rows.targets.size(); ++i) {
    if (rows.targets[i] >= 0 && rows.targets[i] <= target_max) continue;
    return fail(Code::kInvalidInput, fmt::format("The target of row {} is {}, but must be {}.", i,
                                                 rows.targets[i], what));
  }
  return {};
}

Standard standard_of(const DenseRows& rows) {
  const auto n = static_cast<double>(rows.targets.size());
  Standard standard{std::vector<double>(rows.size), std::vector<double>(rows.size)};
  for (std::size_t i = 0; i < rows.inputs.size(); ++i) {
    standard.mean[i % rows.size] += double{rows.inputs[i]} / n;
  }
  for (std::size_t i = 0; i < rows.inputs.size(); ++i) {
    const double away = double{rows.inputs[i]} - standard.mean[i % rows.size];
    standard.scale[i % rows.size] += away * away / n;
  }
  for (std::size_t i = 0; i < rows.size; ++i) {
    // Less than what rounding of the mean can feign is no variation.
    const double noise = 1e-12 * standard.mean[i] * standard.mean[i];
    double& scale = standard.scale[i];
    scale = scale > noise && scale > 1e-30 ? 1 / std::sqrt(scale) : 0;
  }
  return standard;
}

// Adds weight * z z' to a lower triangle.
void add_square(std::vector<double>& triangle_sum, std::span<const double> z, double weight) {
  double* to = triangle_sum.data();
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double scaled = weight * z[i];
    for (std::size_t j = 0; j <= i; ++j) *to++ += scaled * z[j];
  }
}

// log(1 + e^x) - target * x, the loss of a logit.
double loss_of(double logit, double target) {
  const double magnitude = std::abs(logit);
  return std::max(logit, 0.0) + logarithm(1 + exponential(-magnitude)) - target * logit;
}

// The training problem: standardised rows and the penalised loss over them.
class Logistic {
 public:
  Logistic(const DenseRows& rows, const Standard& standard, double ridge)
      : width_(rows.size + 1), ridge_(ridge), targets_(rows.targets) {
    inputs_.resize(width_ * targets_.size());
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      standard.apply(rows.row(i), std::span(inputs_).subspan(i * width_, width_));
    }
  }

  [[nodiscard]] double loss(std::span<const double> weights) const {
    double sum = 0;
    for (std::size_t i = 0; i < width_; ++i) {
      sum += ridge_of(i, ridge_) * weights[i] * weights[i] / 2;
    }
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      sum += loss_of(product(row(i), weights), targets_[i]);
    }
    return sum;
  }

  struct Slope {
    std::vector<double> gradient;
    std::vector<double> hessian;
  };
  [[nodiscard]] Slope slope(std::span<const double> weights) const {
    Slope slope{std::vector<double>(width_), std::vector<double>(triangle(width_, 0))};
    for (std::size_t i = 0; i < width_; ++i) {
      slope.gradient[i] = ridge_of(i, ridge_) * weights[i];
      slope.hessian[triangle(i, i)] = ridge_of(i, ridge_);
    }
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      const double p = sigmoid(product(row(i), weights));
      for (std::size_t k = 0; k < width_; ++k) slope.gradient[k] += (p - targets_[i]) * row(i)[k];
      add_square(slope.hessian, row(i), p * (1 - p));
    }
    return slope;
  }

 private:
  [[nodiscard]] std::span<const double> row(std::size_t i) const {
    return std::span(inputs_).subspan(i * width_, width_);
  }

  std::size_t width_;
  double ridge_;
  std::span<const double> targets_;
  std::vector<double> inputs_;
};

}  // namespace

void Standard::apply(std::span<const float> inputs, std::span<double> to) const {
  HF_ASSERT(inputs.size() == mean.size() && to.size() == mean.size() + 1);
  to[0] = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double away = (double{inputs[i]} - mean[i]) * scale[i];
    to[i + 1] = std::isnan(away) ? 0 : std::clamp(away, -kFarthest, kFarthest);
  }
}

std::span<const float> DenseRows::row(std::size_t i) const {
  return std::span(inputs).subspan(i * size, size);
}

// The variance of the logit is |R z|^2, R being the inverse factor; by columns the sums of all rows
// grow side by side, which a processor does several at a time.
Estimate DenseHead::predict(std::span<const float> inputs) const {
  const std::size_t width = weights.size();
  Augmented buffer;
  Augmented moved{};
  const std::span z = std::span(buffer).first(width);
  standard.apply(inputs, z);
  const double* from = spread.data();
  for (std::size_t column = 0; column < width; ++column) {
    for (std::size_t row = column; row < width; ++row) moved[row] += *from++ * z[column];
  }
  Estimate estimate;
  estimate.logit = product(z, weights);
  estimate.probability = sigmoid(estimate.logit);
  const double slope = estimate.probability * (1 - estimate.probability);
  estimate.error = slope * std::sqrt(product(std::span(moved).first(width), moved));
  return estimate;
}

Result<DenseHead> fit_logistic(const DenseRows& rows, double ridge) {
  constexpr int kSteps = 50;
  HF_CHECK(check(rows, 1, "from 0 to 1"));
  DenseHead head;
  head.standard = standard_of(rows);
  const Logistic problem(rows, head.standard, std::max(ridge, kBiasRidge));
  const std::size_t width = rows.size + 1;
  head.weights.assign(width, 0);
  double loss = problem.loss(head.weights);
  for (int i = 0; i <= kSteps; ++i) {
    const auto [gradient, hessian] = problem.slope(head.weights);
    const std::optional factor = cholesky(hessian, width);
    if (!factor) return fail(Code::kInternal, "A logistic fit met a matrix that is not definite.");
    head.spread = inverse_by_columns(*factor, width);
    std::vector<double> step = gradient;
    solve(*factor, step);
    if (product(gradient, step) < 1e-16 * (1 + loss) || i == kSteps) break;

    // A whole step nearly always; far from the optimum half of it, or less.
    std::vector<double> next(width);
    double next_loss = loss;
    for (double share = 1; share > 1e-6; share /= 2) {
      for (std::size_t k = 0; k < width; ++k) next[k] = head.weights[k] - share * step[k];
      next_loss = problem.loss(next);
      if (next_loss < loss) break;
    }
    if (!(next_loss < loss)) break;
    head.weights = next;
    loss = next_loss;
  }
  return head;
}

double CountEstimate::median() const {
  return exponential(log_mean);
}

double CountEstimate::mean() const {
  return exponential(log_mean + log_sd * log_sd / 2);
}

double CountEstimate::p90() const {
  return exponential(log_mean + kNinetieth * log_sd);
}

CountEstimate CountHead::predict(std::span<const float> inputs) const {
  Augmented buffer;
  const std::span z = std::span(buffer).first(weights.size());
  standard.apply(inputs, z);
  return {std::clamp(product(z, weights), log_low, log_high), log_sd};
}

Result<CountHead> fit_counts(const DenseRows& rows, double ridge) {
  constexpr double kCountMax = 1e15;
  HF_CHECK(check(rows, kCountMax, "a count of 0 or more"));
  const std::size_t width = rows.size + 1;
  CountHead head;
  head.standard = standard_of(rows);
  head.weights.assign(width, 0);
  std::vector<double> squares(triangle(width, 0));
  std::vector<double> logs;
  Augmented buffer;
  const std::span z = std::span(buffer).first(width);
  for (std::size_t i = 0; i < width; ++i) {
    squares[triangle(i, i)] = ridge_of(i, std::max(ridge, kBiasRidge));
  }
  for (std::size_t i = 0; i < rows.targets.size(); ++i) {
    logs.push_back(logarithm(std::max(rows.targets[i], 1.0)));
    head.standard.apply(rows.row(i), z);
    add_square(squares, z, 1);
    for (std::size_t k = 0; k < width; ++k) head.weights[k] += z[k] * logs.back();
  }
  const std::optional factor = cholesky(squares, width);
  if (!factor) return fail(Code::kInternal, "A fit of counts met a matrix that is not definite.");
  solve(*factor, head.weights);

  double square = 0;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    head.standard.apply(rows.row(i), z);
    const double away = logs[i] - product(z, head.weights);
    square += away * away;
  }
  head.log_sd = std::sqrt(square / static_cast<double>(logs.size()));
  const auto [low, high] = std::ranges::minmax(logs);
  head.log_low = low;
  head.log_high = high;
  return head;
}

}  // namespace hf::learn
