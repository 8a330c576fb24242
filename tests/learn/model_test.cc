// Goal: what a model says is put together rightly from its parts.
// Method: models with parts whose values are known.
#include "learn/model.h"

#include <gtest/gtest.h>

#include <vector>

#include "learn/split.h"

namespace hf::learn {
namespace {

// A head that knows two inputs: even odds before any map.
CalibratedHead head(IsotonicMap map) {
  DenseRows rows{.size = 2, .inputs = {0, 1, 1, 0, 0, 0, 1, 1}, .targets = {1, 0, 0, 1}};
  return {*fit_logistic(rows, 1), std::move(map)};
}

TEST(Model, ACalibratedHeadCarriesItsErrorOver) {
  const std::vector<float> at{0.3F, 0.6F};
  const CalibratedHead plain = head({});
  const CalibratedHead mapped = head({.scores = {-1, 1}, .values = {0.9, 0.9}});
  const Estimate raw = plain.dense.predict(at);
  EXPECT_NEAR(plain.predict(at).probability, raw.probability, 1e-12);
  EXPECT_NEAR(plain.predict(at).error, raw.error, 1e-12);
  EXPECT_EQ(mapped.predict(at).logit, raw.logit);
  EXPECT_EQ(mapped.predict(at).probability, 0.9);
  const double logit_error = raw.error / (raw.probability * (1 - raw.probability));
  EXPECT_NEAR(mapped.predict(at).error, 0.9 * 0.1 * logit_error, 1e-12);
}

TEST(Model, GainsAreDifferencesOfTheCalibrated) {
  Model model;
  model.prior_inputs = 2;
  model.edge = head({.scores = {0}, .values = {0.4}});
  model.cloud = head({.scores = {0}, .values = {0.7}});
  model.posterior = PosteriorHeads{head({.scores = {0}, .values = {0.8}}), model.cloud, {}};
  const std::vector<float> at{1, 1};
  EXPECT_NEAR(predict_prior(model, at).gain(), 0.3, 1e-12);
  EXPECT_NEAR(predict_posterior(model, at).gain(), -0.1, 1e-12);
}

TEST(Model, TextScoresGoWhereTheModelWantsThem) {
  Model model;
  model.edge_text_input = 2;
  model.cloud_text_input = 0;
  model.edge_text.bias = 0.25;
  model.cloud_text.weights.assign(kTextTerms, 0);
  model.cloud_text.weights[7] = 10;
  model.cloud_text.scale = 0.5;
  model.cloud_text.bias = 1;
  std::vector<float> inputs{9, 9, 9};
  score_text(model, std::vector<Term>{{7, 0.5F}}, inputs);
  EXPECT_EQ(inputs, (std::vector<float>{3.5F, 9, 0.25F}));
}

TEST(Model, ASpreadIsLookedUpByRange) {
  const Spread spread{{{0.1, 0.01, 1}, {0.2, 0.02, 2}, {0, 0.03, 3}}};
  EXPECT_EQ(spread.at(-5).sd, 1);
  EXPECT_EQ(spread.at(0.1).sd, 2);
  EXPECT_EQ(spread.at(0.19).mean, 0.02);
  EXPECT_EQ(spread.at(0.2).sd, 3);
  EXPECT_EQ(spread.at(7).sd, 3);
  EXPECT_EQ(Spread{}.at(0).sd, 0);
}

TEST(Model, CategoriesAreDrawnTowardsTheMeanOfAll) {
  Model model;
  model.overall = {0, 100, 0.5, 0.6, 1};
  model.categories = {{5, 8, 0.1, 0.8, 3}, {9, 1, 1, 1, 1}};
  const CategoryMeans five = category_means(model, 5);
  EXPECT_EQ(five.rows, 8U);
  EXPECT_NEAR(five.edge, 0.3, 1e-12);  // Eight rows against eight.
  EXPECT_NEAR(five.cloud, 0.7, 1e-12);
  EXPECT_NEAR(five.relative_cost, 2, 1e-12);
  EXPECT_EQ(category_means(model, 6), model.overall);
  EXPECT_EQ(category_means(model, 10), model.overall);
}

TEST(Model, KnowsWhichTextsItHasSeen) {
  Model model;
  EXPECT_FALSE(has_seen(model, "anything"));
  model.fingerprints = {fingerprint("what is this?")};
  EXPECT_TRUE(has_seen(model, "What  is this?"));
  EXPECT_FALSE(has_seen(model, "What was this?"));
}

}  // namespace
}  // namespace hf::learn
