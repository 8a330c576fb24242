// Goal: what policies are shown of recorded outcomes is what training saw and what could be known;
// settings, orders and intervals do as they say.
// Method: made-up outcomes whose costs and times follow from tokens.
#include "eval/prepared.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "eval/orders.h"
#include "eval/settings.h"
#include "eval/targets.h"
#include "learn/weights.h"
#include "route/features.h"
#include "small_data.h"

namespace hf::eval {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Prepared, TrainingAndServingSeeTheSameInputs) {
  const Dataset dataset = made_up(400, 3, "q");
  const auto data = prepare(dataset, nullptr);
  ASSERT_TRUE(data.has_value());
  const auto examples = examples_of(dataset, {});
  ASSERT_EQ(examples.size(), data->items.size());
  std::size_t with_all_voters = 0;
  std::size_t with_voters = 0;
  std::size_t hidden = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Item& item = data->items[i];
    const RouteInput input = known_of(data->queries[i], SubtaskId{}, item.features);
    EXPECT_THAT(examples[i].prior, testing::ElementsAreArray(prior_features(input)));

    // Training hides some voters of some queries; what it shows is shown as serving would.
    const AttemptFeatures served = attempt_features(input, item.last_look().attempt);
    const auto own = std::span(served).subspan(kPriorFeatures);
    ASSERT_EQ(examples[i].attempt.size(), own.size());
    const bool sees_voters = examples[i].attempt[kHasVotersFeature - kPriorFeatures] > 0;
    with_voters += item.voters() > 0 ? 1 : 0;
    hidden += item.voters() > 0 && !sees_voters ? 1 : 0;
    if (!std::ranges::equal(examples[i].attempt, own)) continue;
    ++with_all_voters;
    EXPECT_EQ(*examples[i].kept, item.last_look().correct);
  }
  EXPECT_GT(with_all_voters, examples.size() / 2);
  EXPECT_NEAR(static_cast<double>(hidden) / static_cast<double>(with_voters), 0.25, 0.1);
}

TEST(Prepared, CostsAreForeseenFromPriceAndReservedAtWorst) {
  const Prepared data = made_up_prepared();
  double expected = 0;
  double paid = 0;
  for (const Item& item : data.items) {
    EXPECT_GE(item.worst, item.usd);
    EXPECT_LE(item.expected, item.worst);
    expected += static_cast<double>(item.expected.count());
    paid += static_cast<double>(item.usd.count());
  }
  EXPECT_NEAR(expected / paid, 1, 0.15);
  EXPECT_NEAR(static_cast<double>(data.mean_usd.count()), paid / 150, 1);
}

TEST(Prepared, ForeseenCostsOfExamplesAverageOneAndVaryLessThanBills) {
  const Dataset dataset = made_up(200, 3, "q");
  double sum = 0;
  double most = 0;
  for (const learn::Example& example : examples_of(dataset, {})) {
    sum += example.relative_cost;
    most = std::max(most, example.relative_cost);
  }
  EXPECT_NEAR(sum / 200, 1, 1e-9);
  EXPECT_LT(most, 1.5);  // The dearest bill is near twice the mean.
}

TEST(Prepared, LeavesOutQueriesWithoutBothTiers) {
  std::vector<OutcomeRow> rows = made_up_rows(10, 3, "q");
  rows[4].arms.pop_back();
  const auto data = prepare(*Dataset::from(rows), nullptr);
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->queries.size(), 9);
  EXPECT_EQ(data->rows_left_out, 1);
  for (OutcomeRow& row : rows) row.arms.resize(1);
  EXPECT_FALSE(prepare(*Dataset::from(rows), nullptr).has_value());
}

TEST(Prepared, RefusesACloudThatIsFree) {
  std::vector<OutcomeRow> rows = made_up_rows(10, 3, "q");
  for (OutcomeRow& row : rows) row.arms.back().usd = PicoUsd(0);
  const auto data = prepare(*Dataset::from(rows), nullptr);
  ASSERT_FALSE(data.has_value());
  EXPECT_THAT(data.error().message, HasSubstr("usd"));
}

TEST(Training, GivesTheSameBytesAndSaysWhatItCameFrom) {
  const std::vector<std::filesystem::path> files = {"/somewhere/made-up.jsonl"};
  const auto a = train_on(made_up(400, 7, "t"), files, 1);
  const std::vector<std::filesystem::path> moved = {"elsewhere/made-up.jsonl"};
  const auto b = train_on(made_up(400, 7, "t"), moved, 1);
  ASSERT_TRUE(a.has_value() && b.has_value());
  EXPECT_EQ(learn::to_bytes(a->model), learn::to_bytes(b->model));
  EXPECT_THAT(a->model.provenance, HasSubstr("made-up.jsonl; 400 rows of 400 queries"));
  EXPECT_THAT(a->model.provenance, HasSubstr("small (400)"));
  EXPECT_EQ(a->model.arms.size(), 3);
  EXPECT_THAT(training_text(*a), HasSubstr("AUROC"));
}

TEST(Orders, EveryQueryOnceAndCategoriesWhereTheyBelong) {
  const Prepared data = made_up_prepared();
  const Orders orders(data);
  for (const Order order : {Order::kShuffled, Order::kSorted, Order::kDrift}) {
    const auto list = orders.make(order, 5);
    EXPECT_EQ(list, orders.make(order, 5));
    EXPECT_NE(list, orders.make(order, 6));
    std::vector<std::uint32_t> sorted = list;
    std::ranges::sort(sorted);
    for (std::uint32_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], i);
    if (order != Order::kSorted) continue;
    int changes = 0;
    for (std::size_t i = 1; i < list.size(); ++i) {
      if (data.queries[list[i]].category != data.queries[list[i - 1]].category) ++changes;
    }
    EXPECT_EQ(changes, 2);
  }
  // "kind 0" gains least in the cloud.
  const auto drift = orders.make(Order::kDrift, 1);
  const auto is_first_kind = [&](std::uint32_t q) { return data.queries[q].category == "kind 0"; };
  const auto half = drift.begin() + static_cast<std::ptrdiff_t>(drift.size() / 2);
  EXPECT_GT(std::count_if(drift.begin(), half, is_first_kind),
            3 * std::count_if(half, drift.end(), is_first_kind));
}

TEST(Settings, ReadWhatIsTypedAndRefuseTheRest) {
  EXPECT_THAT(words_of("a,b"), ElementsAre("a", "b"));
  EXPECT_THAT(*budgets_from("0.05,1"), ElementsAre(0.05, 1));
  EXPECT_THAT(*orders_from("sorted,drift"), ElementsAre(Order::kSorted, Order::kDrift));
  const auto change = price_change_from("2x@50%");
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->factor, 2);
  EXPECT_EQ(change->at, 0.5);
  for (const char* text : {"", "0", "-1", "0.1,x", "nan", "101", "0.1,,0.2"}) {
    EXPECT_FALSE(budgets_from(text).has_value()) << text;
  }
  for (const char* text : {"", "random", "sorted,,drift"}) {
    EXPECT_FALSE(orders_from(text).has_value()) << text;
  }
  for (const char* text : {"", "2x", "2@50%", "2x@50", "0x@50%", "2x@101%", "x@%", "2x@-1%"}) {
    EXPECT_FALSE(price_change_from(text).has_value()) << text;
  }
}

TEST(Targets, AreAllMeasuredWithTheirIntervals) {
  const Prepared data = made_up_prepared(60);
  EvaluateOptions options;
  options.seeds = 1;
  options.resamples = 20;
  const auto targets = measure_targets(data, &data, made_up_model(), options);
  ASSERT_TRUE(targets.has_value()) << targets.error().message;
  std::vector<std::string> names;
  for (const Target& target : targets->targets) {
    names.push_back(target.name);
    if (verdict_of(target) == "not defined here") {
      EXPECT_FALSE(target.is_hit);
      continue;
    }
    EXPECT_LE(target.measured.low, target.measured.high);
    if (target.name == "f") continue;
    EXPECT_EQ(target.is_hit, target.is_at_least ? target.measured.value >= target.goal
                                                : target.measured.value <= target.goal);
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "c", "d, violations", "d, use", "e", "f"));
  EXPECT_TRUE(targets->targets[3].is_hit);
  EXPECT_EQ(targets->headline.size(), 5);
  for (const Headline& row : targets->headline) {
    if (row.policy == "fixed") {
      EXPECT_LE(row.difference.value, 1e-12);
    }
  }
}

}  // namespace
}  // namespace hf::eval
