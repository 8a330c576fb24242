#include "route/predictor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "route/features.h"
#include "route/pick.h"

namespace hf {
namespace {

// Share of a full mark that `count` earns; `full` and more earn all of it.
double share(std::uint16_t count, double full) {
  return std::min(1.0, static_cast<double>(count) / full);
}

Chances by_hand(const RouteInput& input) {
  const double hardness = (difficulty_of(input.features, input.role) - 1.0) / 8.0;
  Chances result;
  result.edge = 0.90 - 0.60 * hardness;
  result.cloud = 0.97 - 0.25 * hardness;
  if (input.is_whole_question) {  // Several steps at once are where a small model loses the thread.
    result.edge -= 0.10;
    result.cloud -= 0.02;
  }
  return result;
}

// What an attempt may show of the gain, until a model knows better.
constexpr double kSpreadByHand = 0.2;

// A cut or empty result is likely wrong, a confident one and one that voters share more likely
// right than its difficulty says.
Chances by_hand(const RouteInput& input, const Attempt& attempt) {
  Chances result = by_hand(input);
  if (attempt.signals.mean_logprob)
    result.edge += std::exp(std::min(*attempt.signals.mean_logprob, 0.0)) - 0.75;
  if (attempt.voters > 0) result.edge += 0.4 * (attempt.kept_share - 0.5);
  if (attempt.was_cut) result.edge *= 0.5;
  if (!attempt.has_answer) result.edge *= 0.2;
  result.edge = std::clamp(result.edge, 0.02, 0.98);
  return result;
}

double chance_of(const learn::CalibratedHead& head, std::span<const float> inputs,
                 bool is_calibrated) {
  const learn::Estimate estimate = head.predict(inputs);
  return is_calibrated ? estimate.probability : 1 / (1 + std::exp(-estimate.logit));
}

}  // namespace

double difficulty_of(const TaskFeatures& features, Role role) {
  if (features.difficulty != 0)
    return std::clamp(static_cast<double>(features.difficulty), 1.0, 9.0);
  double rating = 2.0;
  rating += 2.0 * share(features.words, 60);
  rating += 1.5 * share(features.numbers, 6);
  rating += 1.5 * share(features.operators, 6);
  rating += 1.0 * share(features.choices, 4);
  rating += 1.0 * share(features.code, 4);
  if (role == Role::kExplain) rating -= 0.5;
  if (role == Role::kGenerate) rating += 0.5;
  return std::clamp(rating, 1.0, 9.0);
}

void list_tiers(const RouteInput& input, const Chances& chances, Decision& decision) {
  for (const Tier tier : {Tier::kEdge, Tier::kCloud}) {
    const Candidate* at = best_of(input.candidates, tier);
    if (at == nullptr) continue;
    const bool is_cloud = tier == Tier::kCloud;
    decision.alternatives.push_back({.endpoint = at->endpoint,
                                     .chance = is_cloud ? chances.cloud : chances.edge,
                                     .worth = is_cloud ? decision.utility - decision.threshold : 0,
                                     .usd = at->expected_usd,
                                     .time = at->expected_time});
  }
}

Predictor::Predictor(std::shared_ptr<const learn::Model> model)
    : Predictor(std::move(model), Options{}) {}

Predictor::Predictor(std::shared_ptr<const learn::Model> model, const Options& options)
    : model_(std::move(model)), options_(options) {
  if (model_ != nullptr && model_->corrections) corrections_ = *model_->corrections;
}

Chances Predictor::prior(std::span<const float> inputs) const {
  Chances chances;
  chances.edge = chance_of(model_->edge, inputs, options_.is_calibrated);
  chances.cloud = chance_of(model_->cloud, inputs, options_.is_calibrated);
  chances.trained_edge = chances.edge;
  chances.trained_cloud = chances.cloud;
  chances.spread = model_->posterior ? model_->posterior->shift.at(chances.gain()).sd : 0;
  return chances;
}

Chances Predictor::posterior(std::span<const float> inputs) const {
  Chances chances;
  chances.edge = chance_of(model_->posterior->kept, inputs, options_.is_calibrated);
  chances.cloud = chance_of(model_->posterior->cloud, inputs, options_.is_calibrated);
  chances.trained_edge = chances.edge;
  chances.trained_cloud = chances.cloud;
  return chances;
}

Chances Predictor::before(const RouteInput& input) const {
  if (model_ == nullptr) {
    Chances chances = by_hand(input);
    chances.spread = kSpreadByHand;
    return chances;
  }
  Chances chances = prior(prior_features(input));
  const std::uint32_t category = input.features.category;
  chances.edge = learn::corrected(corrections_.edge, chances.edge, category);
  chances.cloud = learn::corrected(corrections_.cloud, chances.cloud, category);
  return chances;
}

Chances Predictor::after(const RouteInput& input, const Attempt& attempt) const {
  if (model_ == nullptr) return by_hand(input, attempt);
  if (!model_->posterior) return before(input);
  Chances chances = posterior(attempt_features(input, attempt));
  const std::uint32_t category = input.features.category;
  chances.edge = learn::corrected(corrections_.kept, chances.edge, category);
  chances.cloud = learn::corrected(corrections_.cloud, chances.cloud, category);
  return chances;
}

void Predictor::learn(const RouteInput& input, const Lesson& lesson) {
  if (model_ == nullptr || !options_.learns || !lesson.correct) return;
  const std::uint32_t category = input.features.category;
  const bool was_tried = lesson.attempt != nullptr && model_->posterior;
  const Chances chances = was_tried ? posterior(attempt_features(input, *lesson.attempt))
                                    : prior(prior_features(input));
  learn::OnlineHead& edge = was_tried ? corrections_.kept : corrections_.edge;
  const bool is_cloud = lesson.tier == Tier::kCloud;
  learn::learn_from(is_cloud ? corrections_.cloud : edge, is_cloud ? chances.cloud : chances.edge,
                    category, *lesson.correct);
}

std::vector<PastDecision> Predictor::past() const {
  std::vector<PastDecision> decisions;
  if (model_ == nullptr) return decisions;
  decisions.reserve(model_->past.size());
  for (const learn::PastRow& row : model_->past) {
    const std::span<const float> inputs(row.inputs);
    PastDecision& decision = decisions.emplace_back();
    decision.before = prior(inputs.first(kPriorFeatures));
    decision.after = decision.before;
    if (model_->posterior && inputs.size() == kAttemptFeatures) {
      decision.after = posterior(inputs);
      decision.was_tried = true;
      decision.kept_share = static_cast<double>(inputs[kKeptShareFeature]);
      decision.voters = static_cast<std::uint8_t>(std::lround(std::expm1(inputs[kVotersFeature])));
    }
    decision.cost = std::max(static_cast<double>(row.relative_cost), 1e-6);
  }
  return decisions;
}

}  // namespace hf
