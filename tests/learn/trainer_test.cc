// Goal: training finds what is there, judges itself on rows it has not seen, and refuses nonsense.
// Method: examples drawn from a known world; each report figure recomputed or bounded; error paths.
#include "learn/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "learn/split.h"
#include "learn/weights.h"
#include "sample.h"

namespace hf::learn {
namespace {

using ::testing::HasSubstr;

TrainOptions quick() {
  TrainOptions options;
  options.text_strengths = {0.3};
  options.replicates = 50;
  return options;
}

const Trained& trained() {
  static const Trained kTrained = *train(sample_examples(3000, Attempts::kRecorded), quick());
  return kTrained;
}

TEST(Trainer, FindsWhatIsThere) {
  const TrainReport& report = trained().report;
  ASSERT_EQ(report.heads.size(), 4U);
  const auto auroc = [&](std::size_t i) { return report.heads[i].metrics.auroc.value; };
  EXPECT_EQ(report.heads[0].name, "edge");
  EXPECT_GT(auroc(0), 0.70);  // The text decides,
  EXPECT_GT(auroc(1), 0.58);
  EXPECT_GT(auroc(2), auroc(0) + 0.05);   // and the attempt's hint tells more about the edge,
  EXPECT_NEAR(auroc(3), auroc(1), 0.03);  // nothing about the cloud.
  for (const HeadReport& head : report.heads) {
    EXPECT_LT(head.metrics.ece.value, 2.5 * head.metrics.ece_floor) << head.name;
    EXPECT_EQ(head.metrics.rows, head.rows.test);
    EXPECT_FALSE(head.bins.empty());
  }
  EXPECT_GT(report.fixes.value, 0.52);
  ASSERT_TRUE(report.fixes_after_attempt.has_value());
  EXPECT_GT(report.fixes_after_attempt->value, report.fixes.value + 0.05);
  ASSERT_EQ(report.counts.size(), 2U);
  EXPECT_LT(report.counts[0].log_sd, 0.2);
  EXPECT_NEAR(report.counts[0].below_p90, 0.9, 0.06);
}

TEST(Trainer, CountsAndKeepsTheSplitsApart) {
  const auto examples = sample_examples(3000, Attempts::kRecorded);
  RowCounts expected;
  for (const Example& example : examples) {
    const Split split = split_of(example.query);
    ++(split == Split::kTrain  ? expected.train
       : split == Split::kTest ? expected.test
                               : expected.calibration);
    EXPECT_EQ(has_seen(trained().model, example.text), split != Split::kTest);
  }
  EXPECT_EQ(trained().report.rows, expected);
  EXPECT_EQ(trained().report.queries, expected);
  EXPECT_EQ(trained().report.left_out, 0U);
  EXPECT_EQ(trained().model.past.size(), expected.calibration);
}

TEST(Trainer, TestRowsChangeNothing) {
  auto examples = sample_examples(800, Attempts::kRecorded);
  const auto before = train(examples, quick());
  for (Example& example : examples) {
    if (split_of(example.query) != Split::kTest) continue;
    example.edge = 1 - *example.edge;
    example.cloud = 0;
    example.prior[2] = 1000;
    example.edge_tokens = 1;
  }
  const auto after = train(examples, quick());
  ASSERT_TRUE(before.has_value() && after.has_value());
  EXPECT_EQ(to_bytes(after->model), to_bytes(before->model));
  EXPECT_NE(after->report.heads[0].metrics.auroc.value,
            before->report.heads[0].metrics.auroc.value);
}

TEST(Trainer, TheSameSeedGivesTheSameBytes) {
  const auto examples = sample_examples(400, Attempts::kRecorded);
  const auto one = train(examples, quick());
  const auto other = train(examples, quick());
  ASSERT_TRUE(one.has_value() && other.has_value());
  EXPECT_EQ(to_bytes(one->model), to_bytes(other->model));
}

TEST(Trainer, TestTextsSeenUnderAnotherNameAreLeftOut) {
  auto examples = sample_examples(800, Attempts::kNone);
  const auto is = [](Split split) {
    return [split](const Example& example) { return split_of(example.query) == split; };
  };
  auto test = std::ranges::find_if(examples, is(Split::kTest));
  auto train_row = std::ranges::find_if(examples, is(Split::kTrain));
  test->text = " " + train_row->text;
  const auto made = train(examples, quick());
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->report.left_out, 1U);
}

TEST(Trainer, WithoutAttemptsThereAreNoPosteriorHeads) {
  const auto made = train(sample_examples(400, Attempts::kNone), quick());
  ASSERT_TRUE(made.has_value());
  EXPECT_FALSE(made->model.posterior.has_value());
  EXPECT_EQ(made->model.attempt_inputs, 0U);
  EXPECT_EQ(made->report.heads.size(), 2U);
  EXPECT_FALSE(made->report.fixes_after_attempt.has_value());
  EXPECT_EQ(made->model.past[0].inputs.size(), made->model.prior_inputs);
}

TEST(Trainer, PartialRowsAreUsedForWhatTheyTell) {
  auto examples = sample_examples(900, Attempts::kRecorded);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (i % 3 == 0) examples[i].cloud.reset();
    if (i % 3 == 1) examples[i].edge.reset();
    if (i % 5 == 0) examples[i].attempt.clear();
    examples[i].cloud_tokens.reset();
  }
  const auto made = train(examples, quick());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_LT(made->report.heads[0].rows.train, made->report.rows.train * 3 / 4);
  EXPECT_FALSE(made->model.cloud_tokens.has_value());
  EXPECT_TRUE(made->model.edge_tokens.has_value());
  EXPECT_LT(made->model.overall.rows, made->report.rows.train / 2);
}

TEST(Trainer, KnowsTheCategories) {
  const Model& model = trained().model;
  ASSERT_EQ(model.categories.size(), 2U);
  const CategoryMeans hard = category_means(model, category_key("mathematics"));
  const CategoryMeans easy = category_means(model, category_key("arts"));
  EXPECT_LT(hard.edge + 0.1, easy.edge);
  EXPECT_GT(hard.cloud - hard.edge, easy.cloud - easy.edge);
  EXPECT_EQ(hard.rows + easy.rows, model.overall.rows);
}

// What is left around a gain is nearly the whole variance of two coins; the attempt moves it.
TEST(Trainer, MeasuresWhatItDoesNotKnow) {
  const Model& model = trained().model;
  EXPECT_GT(model.gain.ranges.size(), 3U);
  for (const Spread::Range& range : model.gain.ranges) EXPECT_NEAR(range.sd, 0.6, 0.2);
  for (const Spread::Range& range : model.posterior->shift.ranges) {
    EXPECT_GT(range.sd, 0.1);
    EXPECT_LT(range.sd, 0.4);
    EXPECT_NEAR(range.mean, 0, 0.1);
  }
}

TEST(Trainer, PastRowsAreSpreadOverALongFile) {
  const auto examples = sample_examples(7000, Attempts::kNone);
  const auto made = train(examples, quick());
  ASSERT_TRUE(made.has_value());
  ASSERT_GT(made->report.rows.calibration, Model::kPastMax);
  ASSERT_EQ(made->model.past.size(), Model::kPastMax);
  std::vector<float> costs;
  for (const Example& example : examples) {
    if (split_of(example.query) != Split::kCalibration) continue;
    costs.push_back(static_cast<float>(example.relative_cost));
  }
  EXPECT_EQ(made->model.past.front().relative_cost, costs.front());
  EXPECT_EQ(made->model.past[512].relative_cost, costs[costs.size() / 2]);
}

TEST(Trainer, AHandfulOfRowsIsEnoughToBegin) {
  auto examples = sample_examples(40, Attempts::kNone);
  for (Example& example : examples) example.edge = 1;  // Never wrong.
  const auto made = train(examples, quick());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const Prior prior = predict_prior(made->model, examples[0].prior);
  EXPECT_GT(prior.edge.probability, 0.9);
  EXPECT_LE(prior.edge.probability, IsotonicMap::kHighest);
  EXPECT_TRUE(std::isfinite(prior.cloud.error));
}

TEST(Trainer, ArmsAreKeptInOrder) {
  TrainOptions options = quick();
  options.arms = {{9, 0.5}, {2, 0.25}};
  const auto made = train(sample_examples(60, Attempts::kNone), options);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->model.arms, (std::vector<ArmAccuracy>{{2, 0.25}, {9, 0.5}}));
  EXPECT_TRUE(model_from(to_bytes(made->model)).has_value());
}

TEST(Trainer, TheProvenanceTellsTheCounts) {
  EXPECT_THAT(trained().model.provenance, HasSubstr("3000 rows: "));
  EXPECT_THAT(trained().model.provenance, HasSubstr("seed 1."));
}

std::string refusal(const std::vector<Example>& examples, const TrainOptions& options) {
  const auto made = train(examples, options);
  if (made) return "none";
  EXPECT_EQ(made.error().code, Code::kInvalidInput);
  return made.error().message;
}

TEST(Trainer, RefusesMalformedExamplesInWords) {
  const auto with = [](auto change) {
    auto examples = sample_examples(60, Attempts::kRecorded);
    change(examples[4]);
    return refusal(examples, quick());
  };
  EXPECT_EQ(refusal({}, quick()), "There are no examples to learn from.");
  EXPECT_EQ(with([](Example& e) { e.prior.pop_back(); }),
            "Example 4 (query query 4): it has 3 prior inputs, but the first example has 4.");
  EXPECT_THAT(with([](Example& e) { e.attempt.pop_back(); }), HasSubstr("1 inputs of an attempt"));
  EXPECT_THAT(with([](Example& e) { e.prior[1] = NAN; }), HasSubstr("not a finite number"));
  EXPECT_THAT(with([](Example& e) { e.attempt[1] = INFINITY; }), HasSubstr("not a finite number"));
  EXPECT_EQ(with([](Example& e) { e.kept = 1.5; }),
            "Example 4 (query query 4): an answer is 1.5 right, but must be from 0 to 1.");
  EXPECT_THAT(with([](Example& e) { e.edge_tokens = -1; }), HasSubstr("has -1 tokens"));
  EXPECT_THAT(with([](Example& e) { e.relative_cost = NAN; }), HasSubstr("relative cost is nan"));
}

TEST(Trainer, RefusesOptionsThatCannotBe) {
  const auto examples = sample_examples(60, Attempts::kRecorded);
  EXPECT_EQ(refusal(examples, quick()), "none");
  TrainOptions options = quick();
  options.cloud_text_input = options.edge_text_input;
  EXPECT_THAT(refusal(examples, options), HasSubstr("must be two different ones"));
  options.cloud_text_input = 4;
  EXPECT_THAT(refusal(examples, options), HasSubstr("inputs 0 and 4 of 4"));
  options = quick();
  options.text_strengths = {};
  EXPECT_THAT(refusal(examples, options), HasSubstr("at least one text strength"));
  options = quick();
  options.ridge = -1;
  EXPECT_THAT(refusal(examples, options), HasSubstr("ridge"));

  options = quick();
  options.arms = {{7, 0.5}, {7, 0.6}};
  EXPECT_THAT(refusal(examples, options), HasSubstr("one accuracy from 0 to 1"));
  options.arms = {{7, 1.5}};
  EXPECT_THAT(refusal(examples, options), HasSubstr("one accuracy from 0 to 1"));

  auto wide = examples;
  for (Example& example : wide) example.attempt.resize(61);
  EXPECT_THAT(refusal(wide, quick()), HasSubstr("at most 64 with the prior ones"));
  auto few = examples;
  for (Example& example : few) example.cloud.reset();
  EXPECT_THAT(refusal(few, quick()), HasSubstr("Only 0 training rows say how right the cloud was"));
}

}  // namespace
}  // namespace hf::learn
