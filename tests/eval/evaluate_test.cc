// Goal: whatever policy, order and price, an evaluation keeps to the budget, never beats what
// cannot be beaten, and does not depend on how many threads worked on it.
// Method: all policies on made-up outcomes; figures against bounds and against each other.
#include "eval/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/evaluation_text.h"
#include "eval/report.h"
#include "small_data.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;
using testing::Not;

EvaluateOptions everything() {
  EvaluateOptions options;
  options.budgets = {0.1, 0.4};
  options.orders = {Order::kShuffled, Order::kSorted, Order::kDrift};
  options.prices = {PriceChange{}, PriceChange{.factor = 2, .at = 0.5}};
  options.seeds = 2;
  options.resamples = 50;
  return options;
}

// The measured times are the only thing that may differ.
std::string without_times(Evaluation evaluation) {
  for (Cell& cell : evaluation.cells) cell.decision_p50_ns = cell.decision_p99_ns = 0;
  return wire::to_text(evaluation_json(evaluation, nullptr, {}));
}

TEST(Evaluate, EveryPolicyKeepsToItsBudgetAndBelowWhatCannotBeBeaten) {
  const Prepared data = made_up_prepared();
  const auto evaluation = evaluate(data, made_up_model(), everything());
  ASSERT_TRUE(evaluation.has_value()) << evaluation.error().message;
  ASSERT_EQ(evaluation->cells.size(), evaluated_policies().size() * 12);
  for (const Cell& cell : evaluation->cells) {
    SCOPED_TRACE(cell.setting.policy + ", " + stream_name(cell.setting));
    EXPECT_EQ(cell.overshoot_usd, 0);
    EXPECT_LE(cell.spent_share, 1);
    EXPECT_GE(cell.accuracy.value, 0);
    EXPECT_LE(cell.accuracy.value, 1);
    EXPECT_LE(cell.accuracy.low, cell.accuracy.value);
    EXPECT_GE(cell.accuracy.high, cell.accuracy.value);
    EXPECT_NEAR(cell.to_edge + cell.to_cloud, 150, 1e-9);
    EXPECT_EQ(cell.spending.size(), 100);
    EXPECT_NEAR(cell.spending.back(), cell.spent_share, 1e-9);
    EXPECT_LE(cell.actions_fraction.value, 1 + 1e-9);
    EXPECT_LE(cell.strict.value, cell.accuracy.value + 1e-9);
    const Cell* best = evaluation->find("oracle-actions", cell.setting.budget, cell.setting.order,
                                        cell.setting.price);
    ASSERT_NE(best, nullptr);
    EXPECT_LE(cell.utility.value, best->utility.value + 1e-9);
  }
}

TEST(Evaluate, TheClairvoyantsReachAllThatIsThere) {
  EvaluateOptions options = everything();
  options.policies = {"edge", "oracle"};
  const auto evaluation = evaluate(made_up_prepared(), made_up_model(), options);
  ASSERT_TRUE(evaluation.has_value());
  for (const Cell& cell : evaluation->cells) {
    if (cell.setting.policy == "oracle") {
      EXPECT_DOUBLE_EQ(cell.oracle_fraction.value, 1);
      EXPECT_TRUE(cell.is_exact);
    } else if (cell.setting.policy == "oracle-actions") {
      EXPECT_DOUBLE_EQ(cell.actions_fraction.value, 1);
      EXPECT_GE(cell.oracle_fraction.value, 1);
    } else {
      EXPECT_EQ(cell.utility.value, 0);
      EXPECT_EQ(cell.oracle_fraction.value, 0);
    }
  }
}

TEST(Evaluate, AllMoneyInTheWorldBuysTheCloudForAll) {
  EvaluateOptions options;
  options.policies = {"cloud"};
  options.budgets = {10};
  options.seeds = 1;
  const Prepared data = made_up_prepared();
  const auto evaluation = evaluate(data, nullptr, options);
  ASSERT_TRUE(evaluation.has_value());
  const Cell& cell = evaluation->cells.front();
  EXPECT_DOUBLE_EQ(cell.accuracy.value, evaluation->all_cloud.value);
  EXPECT_NEAR(cell.spent_usd, evaluation->all_cloud_usd, 1e-12);
  EXPECT_EQ(cell.to_edge, 0);
}

TEST(Evaluate, TheResultDoesNotDependOnTheNumberOfJobs) {
  EvaluateOptions options = everything();
  options.orders = {Order::kShuffled};
  const Prepared data = made_up_prepared(80);
  const auto alone = evaluate(data, made_up_model(), options);
  options.jobs = 7;
  const auto together = evaluate(data, made_up_model(), options);
  ASSERT_TRUE(alone.has_value() && together.has_value());
  EXPECT_EQ(without_times(*alone), without_times(*together));
}

TEST(Evaluate, AttemptsAreMadeBySparUnlessTheyAreSwitchedOff) {
  EvaluateOptions options;
  options.policies = {"spar", "spar-no-attempts"};
  options.budgets = {0.2};
  options.seeds = 2;
  const auto evaluation = evaluate(made_up_prepared(), made_up_model(), options);
  ASSERT_TRUE(evaluation.has_value());
  EXPECT_GT(evaluation->cells[0].attempts, 0);
  EXPECT_EQ(evaluation->cells[1].attempts, 0);
}

TEST(Evaluate, RefusesWhatItDoesNotKnow) {
  const Prepared data = made_up_prepared(20);
  const auto refusal = [&](const EvaluateOptions& options) {
    const auto evaluation = evaluate(data, nullptr, options);
    EXPECT_FALSE(evaluation.has_value());
    return evaluation ? std::string() : evaluation.error().message;
  };
  EvaluateOptions options;
  options.policies = {"edge", "magic"};
  EXPECT_THAT(refusal(options), HasSubstr("no policy 'magic'"));
  options = {};
  options.budgets = {0};
  EXPECT_THAT(refusal(options), HasSubstr("A budget is 0"));
  options = {};
  options.prices = {PriceChange{.factor = -1, .at = 0.5}};
  EXPECT_THAT(refusal(options), HasSubstr("price changes by -1"));
  options = {};
  options.seeds = 0;
  EXPECT_THAT(refusal(options), HasSubstr("at least one"));
  options = {};
  options.policy.spar.second_price = -1;
  EXPECT_THAT(refusal(options), HasSubstr("price of a second"));
}

TEST(Evaluate, TheTableFitsAndThePageNeedsNothingElse) {
  EvaluateOptions options = everything();
  options.orders = {Order::kShuffled};
  const Prepared data = made_up_prepared(60);
  const auto evaluation = evaluate(data, made_up_model(), options);
  ASSERT_TRUE(evaluation.has_value());
  const EvaluationNotes notes{60, 60, 0, 2, "made <up>"};
  const std::string text = evaluation_text(*evaluation, nullptr, notes);
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\n', from);
    EXPECT_LE(end - from, 100) << text.substr(from, end - from);
    from = end + 1;
  }
  const std::string page =
      evaluation_page(*evaluation, nullptr, notes, reliability_of(data, made_up_model()));
  EXPECT_THAT(page, HasSubstr("made &lt;up&gt;"));
  EXPECT_THAT(page, HasSubstr("<polygon class=\"band"));
  for (const char* outside : {"http:", "https:", "<script", "<img", "@import", "nan", "inf,"}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
}

}  // namespace
}  // namespace hf::eval
