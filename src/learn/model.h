// Everything that training leaves behind: heads that say how likely each tier is to be right, how
// long its answer will be, how sure that is; and what a policy needs to start from (typical
// decisions, category means). Which inputs a head has is decided elsewhere: here they are numbers
// in an agreed order, whose version is kept. Thread safety: a model does not change; predicting
// allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learn/corrections.h"
#include "learn/dense_head.h"
#include "learn/isotonic.h"
#include "learn/text_head.h"

namespace hf::learn {

// A dense head whose probabilities were set right on rows it had not seen. In what it estimates the
// logit is the raw one; probability and error are the calibrated ones.
struct CalibratedHead {
  DenseHead dense;
  IsotonicMap map;

  // REQUIRES: as many inputs as at the fit.
  [[nodiscard]] Estimate predict(std::span<const float> inputs) const;

  friend bool operator==(const CalibratedHead&, const CalibratedHead&) = default;
};

// How far something came out from a predicted gain, by ranges of the prediction.
struct Spread {
  struct Range {
    double below = 0;  // The range's upper end; the last range has none, its value is not read.
    double mean = 0;   // Of (came out - predicted).
    double sd = 0;

    friend bool operator==(const Range&, const Range&) = default;
  };
  std::vector<Range> ranges;  // Ascending; none: mean 0, sd 0.

  [[nodiscard]] Range at(double predicted) const;

  friend bool operator==(const Spread&, const Spread&) = default;
};

struct CategoryMeans {
  std::uint32_t key = 0;  // category_key() of its name.
  std::uint32_t rows = 0;
  double edge = 0;
  double cloud = 0;
  double relative_cost = 0;

  friend bool operator==(const CategoryMeans&, const CategoryMeans&) = default;
};

// One calibration row, as a policy would have met it, and what came of it.
struct PastRow {
  static constexpr float kUnknown = -1;

  std::vector<float> inputs;  // Those of the prior, then the attempt's if there was one.
  float edge = kUnknown;      // How right each result was, 0 to 1: the edge's first,
  float cloud = kUnknown;     // the cloud's,
  float kept = kUnknown;      // and that which the attempt would keep.
  float relative_cost = 1;    // Of the cloud, against the mean.

  friend bool operator==(const PastRow&, const PastRow&) = default;
};

// How often an edge endpoint was right; the weight of its vote.
struct ArmAccuracy {
  std::uint64_t endpoint = 0;  // stable_hash() of its name.
  double accuracy = 0;

  friend bool operator==(const ArmAccuracy&, const ArmAccuracy&) = default;
};

// What the edge's own attempt adds. Inputs: those of the prior, then the attempt's.
struct PosteriorHeads {
  CalibratedHead kept;   // P(the edge's answer is right).
  CalibratedHead cloud;  // P(the cloud's would be).
  Spread shift;          // Of the posterior gain around the prior one.

  friend bool operator==(const PosteriorHeads&, const PosteriorHeads&) = default;
};

struct Model {
  static constexpr std::size_t kPastMax = 1024;

  std::uint32_t inputs_version = 0;  // Of whoever defines the inputs.
  std::uint32_t prior_inputs = 0;
  std::uint32_t attempt_inputs = 0;   // 0 without posterior heads.
  std::uint32_t edge_text_input = 0;  // Which prior inputs are the two text scores.
  std::uint32_t cloud_text_input = 0;

  TextHead edge_text;
  TextHead cloud_text;
  CalibratedHead edge;
  CalibratedHead cloud;
  Spread gain;  // Of the gain that came out around the predicted one.
  std::optional<PosteriorHeads> posterior;
  std::optional<CountHead> edge_tokens;
  std::optional<CountHead> cloud_tokens;

  CategoryMeans overall;                    // Key 0.
  std::vector<CategoryMeans> categories;    // By key.
  std::vector<PastRow> past;                // In the order of the calibration rows.
  std::vector<ArmAccuracy> arms;            // By endpoint.
  std::vector<std::uint64_t> fingerprints;  // Of training and calibration texts, ascending.
  std::string provenance;                   // Where the rows came from, in words.

  // Learned while serving; not a part of the weights' bytes. Predicting here knows nothing of it.
  std::optional<Corrections> corrections;

  friend bool operator==(const Model&, const Model&) = default;
};

struct Prior {
  Estimate edge;
  Estimate cloud;

  [[nodiscard]] double gain() const { return cloud.probability - edge.probability; }
};

struct Posterior {
  Estimate kept;
  Estimate cloud;

  [[nodiscard]] double gain() const { return cloud.probability - kept.probability; }
};

// Puts the two text scores where the model wants them. REQUIRES: model.prior_inputs inputs or more.
void score_text(const Model& model, std::span<const Term> terms, std::span<float> inputs);

// REQUIRES: model.prior_inputs inputs.
Prior predict_prior(const Model& model, std::span<const float> inputs);

// REQUIRES: the model has posterior heads; prior_inputs and then attempt_inputs inputs.
Posterior predict_posterior(const Model& model, std::span<const float> inputs);

// The means of a category, those of few rows drawn towards the mean of all (as if eight rows of
// that were among them); the mean of all if it is unknown.
CategoryMeans category_means(const Model& model, std::uint32_t key);

// Whether training or calibration saw this text: it may then not serve as a test.
bool has_seen(const Model& model, std::string_view text);

}  // namespace hf::learn
