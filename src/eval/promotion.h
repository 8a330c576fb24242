// Whether what was learned from judged decisions may serve. The candidate is a function of all
// labels, so it can be made anew at any time; it is promoted only if the decisions that were logged
// say that the router would have earned no less with it (docs/learning.md).
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "eval/estimators.h"
#include "learn/corrections.h"
#include "model/past_choice.h"

namespace hf::eval {

// A choice and what was said of its result.
struct JudgedChoice {
  std::uint64_t query = 0;  // Choices of one query lie next to one another.
  PastChoice choice;
  std::optional<double> told = {};    // How right the result is, 0 to 1.
  std::optional<double> agreed = {};  // Whether an escalated attempt had the cloud's answer.
};

// Live questions carry no category.
inline constexpr std::uint32_t kLiveCategory = 0;

// What agreement says counts as a part of what somebody says who knows.
inline constexpr double kAgreementWeight = 0.25;

inline constexpr std::size_t kPromotionLabels = 30;
inline constexpr double kPromotionLoss = 0.02;  // A lower end of -0.02 is no worse.
inline constexpr double kNormal90 = 1.6448536269514722;

// The chances of a choice under `corrections`.
struct ServedChances {
  double edge = 0;
  double cloud = 0;
};
ServedChances served_chances(const PastChoice& choice, const learn::Corrections& corrections);

// What all labels teach, in their order. Choices without a prediction teach nothing.
learn::Corrections learned_from(std::span<const JudgedChoice> judged);

struct Verdict {
  std::size_t labels = 0;              // Those that count: told, of a choice that was open.
  std::optional<Estimate> difference;  // Candidate less serving; absent with too few labels.
  bool is_promoted = false;

  // The 90 % interval. REQUIRES: there is a difference.
  [[nodiscard]] double low() const;
  [[nodiscard]] double high() const;
};

// Judges the candidate that these labels make against what serves now. Each choice is decided anew
// by a candidate that has not seen its label.
Verdict judge_candidate(std::span<const JudgedChoice> judged, const learn::Corrections& serving);

// "promoted: +0.013 [-0.004, 0.030]", "candidate not promoted: 12 of 30 labels".
std::string words_of(const Verdict& verdict);

}  // namespace hf::eval
