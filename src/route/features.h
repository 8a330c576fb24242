// What the router knows of a subtask as numbers; the one place that makes them, for training and
// for serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "learn/model.h"
#include "learn/text_terms.h"
#include "model/signals.h"
#include "model/subtask.h"
#include "route/router.h"

namespace hf {

// Reads texts, once each, where they are. Thread safety: none; one reader a thread.
class FeatureReader {
 public:
  // Without a model (null) a text is only counted, not scored.
  explicit FeatureReader(std::shared_ptr<const learn::Model> model) : model_(std::move(model)) {}

  // `difficulty` is the planner's own rating or 0; `category` may be empty.
  TaskFeatures read(std::string_view text, std::uint8_t difficulty, std::string_view category = {});

 private:
  std::shared_ptr<const learn::Model> model_;
  learn::TextTerms terms_;
};

// The version of what follows; a model that was trained on another one is refused.
inline constexpr std::uint32_t kInputsVersion = 2;
inline constexpr std::size_t kEdgeTextFeature = 0;
inline constexpr std::size_t kCloudTextFeature = 1;

// Before anything ran. The source names them. Prices, queues and budgets are not among them: they
// decide what a chance is worth, and say nothing of how large it is.
inline constexpr std::size_t kPriorFeatures = 21;
using PriorFeatures = std::array<float, kPriorFeatures>;
[[nodiscard]] PriorFeatures prior_features(const RouteInput& input);

// The same, and what the attempt says of itself.
inline constexpr std::size_t kAttemptFeatures = kPriorFeatures + 19;
inline constexpr std::size_t kHasVotersFeature = kPriorFeatures + 10;
inline constexpr std::size_t kKeptShareFeature = kPriorFeatures + 15;
inline constexpr std::size_t kVotersFeature = kPriorFeatures + 18;  // log(1 + their number).
using AttemptFeatures = std::array<float, kAttemptFeatures>;
[[nodiscard]] AttemptFeatures attempt_features(const RouteInput& input, const Attempt& attempt);

}  // namespace hf
