// From outcomes to a model and an honest account of it. Heads are fitted on the training queries,
// calibrated on the calibration queries and judged on the test queries (split.h); none sees the
// others' rows, and no dense head sees a text score that its own row helped to make.
// Thread safety: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/metrics.h"
#include "learn/model.h"

namespace hf::learn {

// One subtask and what came of it. What was not observed is left out.
struct Example {
  std::string query;  // Its name decides the split.
  std::string text;
  std::string category;        // "" if unknown.
  std::vector<float> prior;    // Known before anything ran; the two text inputs are filled in here.
  std::vector<float> attempt;  // What the edge's attempt showed; empty if there was none.
  std::optional<double> edge;  // How right each answer was, 0 to 1: the edge's first,
  std::optional<double> cloud;  // the cloud's,
  std::optional<double> kept;   // and that which the edge would keep after its attempt.
  std::optional<double> edge_tokens;
  std::optional<double> cloud_tokens;
  double relative_cost = 1;  // Of the cloud's answer, against the mean.
};

struct TrainOptions {
  std::uint32_t inputs_version = 0;
  std::uint32_t edge_text_input = 0;
  std::uint32_t cloud_text_input = 1;
  // Strengths of the text heads to choose from, by cross-fitted loss on the training rows.
  std::vector<double> text_strengths = {0.01, 0.03, 0.1, 0.3, 1};
  double ridge = 10;
  std::uint64_t seed = 1;
  std::size_t replicates = 1000;       // Of the bootstrap.
  std::vector<ArmAccuracy> arms = {};  // Goes into the model; whoever counts the votes needs it.
  std::string provenance = {};
};

struct RowCounts {
  std::size_t train = 0;
  std::size_t calibration = 0;
  std::size_t test = 0;

  friend bool operator==(const RowCounts&, const RowCounts&) = default;
};

// How a head does on the test rows.
struct HeadReport {
  std::string name;
  RowCounts rows;
  Metrics metrics;
  std::vector<ReliabilityBin> bins;
};

struct CountReport {
  std::string name;
  RowCounts rows;
  double log_sd = 0;     // Of log(count) - predicted, on the test rows.
  double explained = 0;  // Share of the variance of the logarithm, on the test rows.
  double below_p90 = 0;  // Share of the test rows' counts; 0.9 would be perfect.
};

struct TrainReport {
  RowCounts rows;
  RowCounts queries;
  std::size_t left_out = 0;  // Test rows whose text training or calibration saw under another name.
  double edge_text_strength = 0;  // As chosen.
  double cloud_text_strength = 0;
  std::vector<HeadReport> heads;  // edge, cloud, and if there were attempts kept and cloud again.
  Interval fixes;                 // AUROC of the predicted gain for "cloud right, edge wrong".
  std::optional<Interval> fixes_after_attempt;
  std::vector<CountReport> counts;  // edge tokens, cloud tokens, as far as there were any.
};

struct Trained {
  Model model;
  TrainReport report;
};

// Fewest training rows that a head is fitted to.
inline constexpr std::size_t kTrainRowsMin = 10;

// The same examples and options give the same model, bit by bit. Fails if an example is malformed
// or there are too few.
Result<Trained> train(std::span<const Example> examples, const TrainOptions& options);

}  // namespace hf::learn
