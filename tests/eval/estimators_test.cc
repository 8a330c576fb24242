// Goal: what another policy would have earned is estimated without bias, and the intervals cover
// the truth as often as they say. Method: closed cases; and full information: on MMLU-Pro both arms
// are known, so a log with known probabilities can be drawn many times and each estimate held
// against the truth.
#include "eval/estimators.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "base/rng.h"
#include "eval/import.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;

OffPolicyEstimates good(const std::vector<LoggedDecision>& log, double weight_max = kWeightMax) {
  const auto estimates = estimate_off_policy(log, weight_max);
  EXPECT_TRUE(estimates) << (estimates ? "" : estimates.error().message);
  return estimates.value_or(OffPolicyEstimates{});
}

TEST(Estimators, OfThePolicyThatLoggedAreItsMean) {
  std::vector<LoggedDecision> log;
  for (const double reward : {1.0, 0.0, 1.0, 1.0}) {
    log.push_back({.query = log.size(),
                   .reward = reward,
                   .propensity = 0.5,
                   .target = 0.5,
                   .predicted_logged = 0.7,
                   .predicted_target = 0.7});
  }
  const auto estimates = good(log);
  EXPECT_DOUBLE_EQ(estimates.ips.value, 0.75);
  EXPECT_DOUBLE_EQ(estimates.snips.value, 0.75);
  EXPECT_DOUBLE_EQ(estimates.dr.value, 0.75);
  EXPECT_DOUBLE_EQ(estimates.effective_size, 4);
  EXPECT_EQ(estimates.clipped, 0U);
  const double expected = std::sqrt(0.75 / 3 / 4);  // Standard deviation over the root of 4.
  EXPECT_DOUBLE_EQ(estimates.ips.standard_error, expected);
  EXPECT_DOUBLE_EQ(estimates.snips.standard_error, expected);
  EXPECT_DOUBLE_EQ(estimates.dr.standard_error, expected);
}

TEST(Estimators, WeighByTheProbabilities) {
  const std::vector<LoggedDecision> log = {{.query = 1,
                                            .reward = 1,
                                            .propensity = 0.5,
                                            .target = 1,
                                            .predicted_logged = 0.5,
                                            .predicted_target = 0.5},
                                           {.query = 2,
                                            .reward = 0.5,
                                            .propensity = 0.25,
                                            .target = 0.75,
                                            .predicted_logged = 0.5,
                                            .predicted_target = 0.25}};
  const auto estimates = good(log);
  EXPECT_DOUBLE_EQ(estimates.ips.value, (2 * 1 + 3 * 0.5) / 2);
  EXPECT_DOUBLE_EQ(estimates.snips.value, (2 * 1 + 3 * 0.5) / 5);
  EXPECT_DOUBLE_EQ(estimates.dr.value, (0.5 + 2 * 0.5 + 0.25 + 0) / 2);
  EXPECT_DOUBLE_EQ(estimates.effective_size, 25.0 / 13);
}

TEST(Estimators, ClipWeightsAndSayHowMany) {
  const std::vector<LoggedDecision> log = {
      {.query = 1, .reward = 1, .propensity = 0.01, .target = 1},
      {.query = 2, .reward = 1, .propensity = 1, .target = 1}};
  EXPECT_DOUBLE_EQ(good(log).ips.value, (kWeightMax + 1) / 2);
  EXPECT_EQ(good(log).clipped, 1U);
  EXPECT_DOUBLE_EQ(good(log, 1000).ips.value, (100.0 + 1) / 2);
  EXPECT_EQ(good(log, 1000).clipped, 0U);
}

TEST(Estimators, TakeDecisionsOfOneQueryAsOneObservation) {
  std::vector<LoggedDecision> alone;
  std::vector<LoggedDecision> thrice;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const LoggedDecision decision{.query = i, .reward = i % 3 == 0 ? 1.0 : 0.0, .target = 1};
    alone.push_back(decision);
    for (int times = 0; times < 3; ++times) thrice.push_back(decision);
  }
  EXPECT_NEAR(good(thrice).ips.standard_error, good(alone).ips.standard_error, 1e-12);
  EXPECT_NEAR(good(thrice).snips.standard_error, good(alone).snips.standard_error, 1e-12);
}

TEST(Estimators, RefuseLogsThatTellNothing) {
  const auto fault = [](std::vector<LoggedDecision> log) {
    const auto estimates = estimate_off_policy(log);
    return estimates ? "accepted" : estimates.error().message;
  };
  const LoggedDecision fine{.query = 1, .reward = 1, .propensity = 0.5, .target = 0.5};
  LoggedDecision other = fine;
  other.query = 2;
  EXPECT_EQ(fault({fine, other}), "accepted");
  EXPECT_THAT(fault({}), HasSubstr("at least two queries"));
  EXPECT_THAT(fault({fine, fine}), HasSubstr("at least two queries"));
  for (const double wrong : {0.0, -1.0, 1.5, std::nan("")}) {
    other.propensity = wrong;
    EXPECT_THAT(fault({fine, other}), HasSubstr("Decision 2 has a propensity of "));
  }
  other.propensity = 1;
  other.target = 1.5;
  EXPECT_THAT(fault({fine, other}), HasSubstr("Decision 2 has a target probability of 1.5"));
  other.target = 0;
  other.reward = std::nan("");
  EXPECT_THAT(fault({fine, other}), HasSubstr("Decision 2 has a reward or prediction"));
  other.reward = 1;
  LoggedDecision never = fine;
  never.target = 0;
  EXPECT_THAT(fault({never, other}), HasSubstr("log more exploration"));
}

// Both arms of one question, and what a model could know of them.
struct Known {
  double reward[2] = {};     // Of the edge and the cloud, with a price on the cloud.
  double predicted[2] = {};  // Means of the category: the model of the doubly robust estimate.
  double logs_cloud = 0;     // Probabilities of the policy that logs,
  double judged_cloud = 0;   // and of the one that is judged.

  [[nodiscard]] double truth() const {
    return judged_cloud * reward[1] + (1 - judged_cloud) * reward[0];
  }
};

std::vector<Known> known_questions() {
  const std::filesystem::path data = std::filesystem::path(HF_SOURCE_DIR) / "data" / "routing";
  const auto rows =
      import_mmlu_pro({data / "mmlu_pro_outcomes.csv.gz", data / "mmlu_pro_predictions.csv.gz",
                       data / "mmlu_pro_questions.jsonl.gz"},
                      {});
  EXPECT_TRUE(rows) << (rows ? "" : rows.error().message);
  struct Sums {
    double reward[2] = {};
    double count = 0;
  };
  std::map<std::string_view, Sums> categories;
  std::vector<Known> questions;
  for (const OutcomeRow& row : rows.value()) {
    Known known;
    known.reward[0] = row.arms[0].correct;
    known.reward[1] = row.arms[1].correct - 0.2;
    // The log prefers the cloud for long questions, the judged policy for some categories: weights
    // from 0.13 to 9.
    known.logs_cloud = std::min(0.9, 0.1 + static_cast<double>(row.text.size()) / 2000);
    known.judged_cloud = row.category < "engineering" ? 0.9 : 0.2;
    Sums& sums = categories[row.category];
    for (const int tier : {0, 1}) sums.reward[tier] += known.reward[tier];
    sums.count += 1;
    questions.push_back(known);
  }
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Sums& sums = categories[rows.value()[i].category];
    for (const int tier : {0, 1}) questions[i].predicted[tier] = sums.reward[tier] / sums.count;
  }
  return questions;
}

// What one draw of questions and actions tells.
OffPolicyEstimates draw(const std::vector<Known>& questions, std::size_t size, Rng& rng) {
  std::vector<LoggedDecision> log;
  for (std::size_t i = 0; i < size; ++i) {
    const Known& known = questions[rng.below(questions.size())];
    const bool is_cloud = rng.unit() < known.logs_cloud;
    const double judged = known.judged_cloud;
    log.push_back(
        {.query = i,
         .reward = known.reward[is_cloud ? 1 : 0],
         .propensity = is_cloud ? known.logs_cloud : 1 - known.logs_cloud,
         .target = is_cloud ? judged : 1 - judged,
         .predicted_logged = known.predicted[is_cloud ? 1 : 0],
         .predicted_target = judged * known.predicted[1] + (1 - judged) * known.predicted[0]});
  }
  return good(log);
}

TEST(Estimators, AreUnbiasedAndCoverTheTruthOnFullInformation) {
  const std::vector<Known> questions = known_questions();
  double truth = 0;
  for (const Known& known : questions) truth += known.truth();
  truth /= static_cast<double>(questions.size());

  struct Tally {
    const char* name;
    Estimate OffPolicyEstimates::* member;
    double error = 0;
    double squares = 0;
    double stated = 0;
    int covered = 0;
  };
  Tally tallies[] = {{"IPS", &OffPolicyEstimates::ips},
                     {"SNIPS", &OffPolicyEstimates::snips},
                     {"DR", &OffPolicyEstimates::dr}};
  constexpr int kDraws = 1000;
  Rng rng(2024);
  for (int i = 0; i < kDraws; ++i) {
    const OffPolicyEstimates estimates = draw(questions, 800, rng);
    for (Tally& tally : tallies) {
      const Estimate& estimate = estimates.*tally.member;
      tally.error += estimate.value - truth;
      tally.squares += (estimate.value - truth) * (estimate.value - truth);
      tally.stated += estimate.standard_error;
      tally.covered += estimate.covers(truth) ? 1 : 0;
    }
  }
  fmt::print("truth {:.4f}, {} draws of 800 decisions\n", truth, kDraws);
  for (const Tally& tally : tallies) {
    const double bias = tally.error / kDraws;
    const double spread = std::sqrt(tally.squares / kDraws - bias * bias);
    const double stated = tally.stated / kDraws;
    fmt::print("{:5} bias {:+.5f}, spread {:.4f}, stated error {:.4f}, coverage {:.1f} %\n",
               tally.name, bias, spread, stated, 100.0 * tally.covered / kDraws);
    EXPECT_LE(std::abs(bias), 4 * spread / std::sqrt(kDraws)) << tally.name;
    EXPECT_NEAR(stated / spread, 1, 0.1) << tally.name;
    EXPECT_GE(tally.covered, kDraws * 90 / 100) << tally.name;
    EXPECT_LE(tally.covered, kDraws * 99 / 100) << tally.name;
  }
  EXPECT_LT(tallies[2].stated, tallies[0].stated);  // A model, even a plain one, helps.
}

}  // namespace
}  // namespace hf::eval
