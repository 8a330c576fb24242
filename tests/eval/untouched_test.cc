// Goal: nothing is judged by what it has learned from.
// Method: a model and outcomes that it has seen in whole, in part and not at all.
#include "eval/untouched.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_data.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;

TEST(Untouched, RefusesTextsThatTheModelHasSeen) {
  const auto model = made_up_model();
  const auto chosen = untouched(made_up(400, 7, "t"), Part::kAll, model.get());
  ASSERT_FALSE(chosen.has_value());
  EXPECT_THAT(chosen.error().message, HasSubstr(" of 400 subtasks were in the training or"));
  EXPECT_THAT(chosen.error().message, HasSubstr("--split test"));
  EXPECT_FALSE(untouched(made_up(400, 7, "t"), Part::kTrain, model.get()).has_value());
  EXPECT_FALSE(untouched(made_up(400, 7, "t"), Part::kCalibration, model.get()).has_value());
}

TEST(Untouched, ASingleSeenTextUnderAnotherNameIsEnough) {
  std::vector<OutcomeRow> rows = made_up_rows(30, 9, "new");
  for (OutcomeRow& seen : made_up_rows(400, 7, "t")) {
    if (learn::split_of(seen.query) != learn::Split::kTrain) continue;
    seen.query = "renamed";
    rows.push_back(seen);
    break;
  }
  const auto dataset = Dataset::from(std::move(rows));
  ASSERT_TRUE(dataset.has_value());
  const auto chosen = untouched(*dataset, Part::kAll, made_up_model().get());
  ASSERT_FALSE(chosen.has_value());
  EXPECT_THAT(chosen.error().message, HasSubstr("1 of 31"));
}

TEST(Untouched, TheTestPartIsLeftToBeJudged) {
  const auto chosen = untouched(made_up(400, 7, "t"), Part::kTest, made_up_model().get());
  ASSERT_TRUE(chosen.has_value()) << chosen.error().message;
  EXPECT_GT(chosen->dataset.queries(), 40);
  EXPECT_EQ(chosen->rows_left_out, 0);
  for (const OutcomeRow& row : chosen->dataset.rows()) {
    EXPECT_EQ(learn::split_of(row.query), learn::Split::kTest);
    EXPECT_FALSE(learn::has_seen(*made_up_model(), row.text));
  }
}

TEST(Untouched, NewOutcomesAndNoModelAreFine) {
  const auto chosen = untouched(made_up(50, 11, "new"), Part::kAll, made_up_model().get());
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->dataset.queries(), 50);
  EXPECT_TRUE(untouched(made_up(400, 7, "t"), Part::kAll, nullptr).has_value());
}

TEST(Untouched, SaysWhenNothingIsLeft) {
  std::vector<OutcomeRow> rows;
  for (OutcomeRow& row : made_up_rows(20, 11, "new")) {
    if (learn::split_of(row.query) == learn::Split::kTrain) rows.push_back(row);
  }
  const auto dataset = Dataset::from(std::move(rows));
  ASSERT_TRUE(dataset.has_value());
  const auto chosen = untouched(*dataset, Part::kTest, nullptr);
  ASSERT_FALSE(chosen.has_value());
  EXPECT_THAT(chosen.error().message, HasSubstr("No query is left"));
}

TEST(Untouched, PartsHaveNames) {
  EXPECT_EQ(part_named("test"), Part::kTest);
  EXPECT_EQ(part_named("all"), Part::kAll);
  EXPECT_FALSE(part_named("some").has_value());
}

}  // namespace
}  // namespace hf::eval
