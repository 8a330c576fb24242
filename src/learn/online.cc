#include "learn/online.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

constexpr double kInputMost = 10;
constexpr double kVariance = 1 / OnlineHead::kPriorRows;  // Of each weight before the first row.
constexpr double kVarianceMost = 4 * kVariance;           // Mean over the weights.
constexpr double kCategoryRowsMost = 1 / (1 - OnlineHead::kForgetting);
constexpr std::size_t kProbes = 8;

using Inputs = std::array<double, kOnlineInputsMax>;

Inputs bounded(std::span<const double> inputs) {
  Inputs to{};
  std::ranges::transform(inputs, to.begin(), [](double input) {
    return std::isfinite(input) ? std::clamp(input, -kInputMost, kInputMost) : 0;
  });
  return to;
}

double shrunk(const OnlineCategory& category) {
  return category.mean * category.rows / (category.rows + OnlineHead::kPriorRows);
}

bool is_sound(const OnlineState& state) {
  const std::size_t n = state.inputs;
  if (n < 1 || n > kOnlineInputsMax) return false;
  const auto is_finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(state.weights, is_finite)) return false;
  if (!std::ranges::all_of(state.covariance, is_finite)) return false;
  for (std::size_t i = 0; i < n; ++i) {
    if (!(state.covariance[triangle(i, i)] > 0)) return false;
  }
  return std::ranges::all_of(state.categories, [](const OnlineCategory& category) {
    return category.rows >= 0 && category.rows <= kCategoryRowsMost && std::abs(category.mean) <= 2;
  });
}

}  // namespace

OnlineHead::OnlineHead(std::size_t inputs) {
  HF_ASSERT(inputs >= 1 && inputs <= kOnlineInputsMax);
  state_.inputs = static_cast<std::uint32_t>(inputs);
  forget_all_certainty();
}

Result<OnlineHead> OnlineHead::restore(const OnlineState& state) {
  if (!is_sound(state)) {
    return fail(Code::kInvalidInput,
                "The saved state of the online learner has values that it cannot have had; delete "
                "it to start from the trained weights again.");
  }
  OnlineHead head;
  head.state_ = state;
  return head;
}

double OnlineHead::correction(std::span<const double> inputs, std::uint32_t category) const {
  HF_ASSERT(inputs.size() == state_.inputs);
  const Inputs x = bounded(inputs);
  double sum = product(std::span(x).first(state_.inputs), state_.weights);
  for (std::size_t i = 0; i < kProbes; ++i) {
    const OnlineCategory& place = state_.categories[(category + i) % kOnlineCategories];
    if (place.rows > 0 && place.key == category) sum += shrunk(place);
  }
  return std::clamp(sum, -1.0, 1.0);
}

void OnlineHead::learn(std::span<const double> inputs, std::uint32_t category, double residual,
                       double weight) {
  HF_ASSERT(inputs.size() == state_.inputs);
  HF_ASSERT(weight > 0 && weight <= 1);
  const auto is_finite = [](double value) { return std::isfinite(value); };
  if (!std::isfinite(residual) || !std::ranges::all_of(inputs, is_finite)) return;
  residual = std::clamp(residual, -1.0, 1.0);
  const Inputs x = bounded(inputs);
  const std::span used = std::span(x).first(state_.inputs);
  const double rest = residual - std::clamp(product(used, state_.weights), -1.0, 1.0);
  learn_weights(used, residual, weight);
  OnlineCategory& place = place_of(category);
  place.rows = std::min(place.rows + weight, kCategoryRowsMost);
  place.mean += (rest - place.mean) * weight / place.rows;
  ++state_.updates;
}

void OnlineHead::forget_all_certainty() {
  state_.covariance.fill(0);
  for (std::size_t i = 0; i < state_.inputs; ++i) state_.covariance[triangle(i, i)] = kVariance;
}

// The inverse of the discounted sum of x x', kept up to date by the formula of Sherman and
// Morrison.
void OnlineHead::learn_weights(std::span<const double> inputs, double residual, double weight) {
  const std::size_t n = inputs.size();
  auto& covariance = state_.covariance;
  Inputs moved{};  // Covariance times inputs.
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      moved[i] += covariance[i >= k ? triangle(i, k) : triangle(k, i)] * inputs[k];
    }
  }
  const double scale = kForgetting / weight + product(inputs, moved);
  if (!(scale >= kForgetting / weight / 2))
    return forget_all_certainty();  // Rounding has eaten it up.
  const double surprise = residual - product(inputs, state_.weights);
  double trace = 0;
  bool is_positive = true;
  for (std::size_t i = 0; i < n; ++i) {
    state_.weights[i] += moved[i] / scale * surprise;
    for (std::size_t k = 0; k <= i; ++k) {
      double& value = covariance[triangle(i, k)];
      value = (value - moved[i] * moved[k] / scale) / kForgetting;
    }
    trace += covariance[triangle(i, i)];
    is_positive = is_positive && covariance[triangle(i, i)] > 0;
  }
  if (!is_positive) return forget_all_certainty();

  // What no input tells about, forgetting would make ever less certain, without end.
  const double most = kVarianceMost * static_cast<double>(n);
  if (trace <= most) return;
  for (double& value : covariance) value *= most / trace;
}

// The category's place; if there is none and no room near it, that of the least known neighbour.
OnlineCategory& OnlineHead::place_of(std::uint32_t category) {
  OnlineCategory* least = nullptr;
  for (std::size_t i = 0; i < kProbes; ++i) {
    OnlineCategory& place = state_.categories[(category + i) % kOnlineCategories];
    if (place.rows > 0 && place.key == category) return place;
    if (least == nullptr || place.rows < least->rows) least = &place;
  }
  *least = {category, 0, 0};
  return *least;
}

}  // namespace hf::learn
