#include "eval/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace hf::eval {
namespace {

constexpr std::size_t kFolds = 5;

void learn_one(learn::Corrections& corrections, const JudgedChoice& judged) {
  const PastChoice& choice = judged.choice;
  if (!choice.is_predicted()) return;
  learn::OnlineHead& edge = choice.was_tried ? corrections.kept : corrections.edge;
  if (judged.told) {
    const bool is_cloud = choice.tier == Tier::kCloud;
    learn::learn_from(is_cloud ? corrections.cloud : edge,
                      is_cloud ? choice.cloud_chance : choice.edge_chance, kLiveCategory,
                      *judged.told);
  }
  if (judged.agreed) {
    learn::learn_from(edge, choice.edge_chance, kLiveCategory, *judged.agreed, kAgreementWeight);
  }
}

bool counts(const JudgedChoice& judged) {
  return judged.told && judged.choice.was_open && judged.choice.is_predicted();
}

// A way to run it, in the order in which the router prefers them where they are worth the same.
enum class Way : std::uint8_t { kEdge, kAttempt, kCloud };
constexpr std::size_t kWays = 3;

// What each way of a choice is worth, above the edge's result; -infinity if it was not to be had.
struct Worths {
  std::array<double, kWays> of{};

  [[nodiscard]] double at(Way way) const { return of[static_cast<std::size_t>(way)]; }
  [[nodiscard]] Way best() const {
    return static_cast<Way>(std::ranges::max_element(of) - of.begin());
  }
};

// The importance of the result: what the policy multiplied the gain with.
double importance_of(const PastChoice& choice) {
  const double gain = choice.cloud_served - choice.edge_served;
  return std::abs(gain) < 1e-9 ? 1 : std::clamp(choice.utility / gain, 0.0, 1.0);
}

// The worths as they were, moved by how much the predicted gain is another one. That of an attempt,
// an option that need not be used, is never below 0.
Worths worths_of(const PastChoice& choice, const ServedChances& chances) {
  const double change = importance_of(choice) * ((chances.cloud - chances.edge) -
                                                 (choice.cloud_served - choice.edge_served));
  const double attempt = choice.attempt_worth ? std::max(*choice.attempt_worth + change, 0.0)
                                              : -std::numeric_limits<double>::infinity();
  return {{0, attempt, choice.utility - choice.threshold + change}};
}

// One choice from the point of view of a router with `judged` chances. What an action would earn is
// predicted by `serving`, for every router alike: the candidate does not grade itself.
LoggedDecision logged_decision(const JudgedChoice& row, const ServedChances& serving,
                               const ServedChances& judged) {
  const PastChoice& choice = row.choice;
  const double importance = importance_of(choice);
  const Worths predicted = worths_of(choice, serving);
  const auto earned = [&](Way way) { return importance * serving.edge + predicted.at(way); };

  const bool is_cloud = choice.tier == Tier::kCloud;
  const Way logged = is_cloud ? Way::kCloud : Way::kEdge;
  const Way wanted = worths_of(choice, judged).best();
  // Exploration draws the edge or the cloud, each with half of its share; the rest is the wish.
  const double explored =
      choice.propensity > 0.5 ? 2 * (1 - choice.propensity) : 2 * choice.propensity;
  const double wish = 1 - explored;

  LoggedDecision decision;
  decision.query = row.query;
  decision.reward = importance * *row.told - (is_cloud ? choice.threshold : 0);
  decision.propensity = choice.propensity;
  decision.target = explored / 2 + (wanted == logged ? wish : 0);
  decision.predicted_logged = earned(logged);
  decision.predicted_target =
      explored / 2 * (earned(Way::kEdge) + earned(Way::kCloud)) + wish * earned(wanted);
  return decision;
}

// What the labels of all queries but those of one fold teach.
learn::Corrections learned_without(std::span<const JudgedChoice> judged, std::size_t fold) {
  learn::Corrections corrections;
  for (const JudgedChoice& each : judged) {
    if (each.query % kFolds != fold) learn_one(corrections, each);
  }
  return corrections;
}

}  // namespace

ServedChances served_chances(const PastChoice& choice, const learn::Corrections& corrections) {
  const learn::OnlineHead& edge = choice.was_tried ? corrections.kept : corrections.edge;
  return {learn::corrected(edge, choice.edge_chance, kLiveCategory),
          learn::corrected(corrections.cloud, choice.cloud_chance, kLiveCategory)};
}

learn::Corrections learned_from(std::span<const JudgedChoice> judged) {
  learn::Corrections corrections;
  for (const JudgedChoice& each : judged) learn_one(corrections, each);
  return corrections;
}

double Verdict::low() const {
  return difference->value - kNormal90 * difference->standard_error;
}

double Verdict::high() const {
  return difference->value + kNormal90 * difference->standard_error;
}

Verdict judge_candidate(std::span<const JudgedChoice> judged, const learn::Corrections& serving) {
  Verdict verdict;
  verdict.labels = static_cast<std::size_t>(std::ranges::count_if(judged, counts));
  if (verdict.labels < kPromotionLabels) return verdict;

  std::vector<learn::Corrections> candidates;
  for (std::size_t fold = 0; fold < kFolds; ++fold)
    candidates.push_back(learned_without(judged, fold));
  std::vector<LoggedDecision> by_candidate;
  std::vector<LoggedDecision> by_serving;
  for (const JudgedChoice& each : judged) {
    if (!counts(each)) continue;
    const ServedChances serves = served_chances(each.choice, serving);
    const ServedChances would = served_chances(each.choice, candidates[each.query % kFolds]);
    by_candidate.push_back(logged_decision(each, serves, would));
    by_serving.push_back(logged_decision(each, serves, serves));
  }
  const auto difference = estimate_difference(by_candidate, by_serving);
  if (!difference) return verdict;  // All of one query.
  verdict.difference = *difference;
  verdict.is_promoted = verdict.low() >= -kPromotionLoss;
  return verdict;
}

std::string words_of(const Verdict& verdict) {
  if (verdict.labels < kPromotionLabels) {
    return fmt::format("candidate not promoted: {} of {} labels", verdict.labels, kPromotionLabels);
  }
  if (!verdict.difference) return "candidate not promoted: all labels are of one question";
  return fmt::format("{}: {:+.3f} [{:.3f}, {:.3f}]",
                     verdict.is_promoted ? "promoted" : "candidate not promoted",
                     verdict.difference->value, verdict.low(), verdict.high());
}

}  // namespace hf::eval
