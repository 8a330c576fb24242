#include "eval/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "eval/prepared.h"
#include "route/features.h"

namespace hf::eval {
namespace {

// Which endpoints were seen in which part, by how many rows: "edge A (90), B (90); cloud C (90)".
std::string endpoints_of(const Dataset& dataset, Tier tier) {
  std::map<std::string_view, std::size_t> rows;
  for (const OutcomeRow& row : dataset.rows()) {
    for (const ArmOutcome& arm : row.arms) rows[arm.endpoint] += arm.tier == tier ? 1 : 0;
  }
  std::string text;
  for (const auto& [name, count] : rows) {
    if (count > 0) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", name, count);
  }
  return text;
}

std::string with_interval(const learn::Interval& interval) {
  if (!interval.is_defined) return "n/a";
  return fmt::format("{:.4f} ({:.4f} to {:.4f})", interval.value, interval.low, interval.high);
}

}  // namespace

Result<learn::Trained> train_on(const Dataset& dataset,
                                std::span<const std::filesystem::path> files, std::uint64_t seed) {
  const std::vector<learn::ArmAccuracy> accuracies = accuracies_of(dataset);
  const std::vector<learn::Example> examples = examples_of(dataset, accuracies);
  learn::TrainOptions options;
  options.inputs_version = kInputsVersion;
  options.edge_text_input = kEdgeTextFeature;
  options.cloud_text_input = kCloudTextFeature;
  options.seed = seed;
  for (const std::filesystem::path& file : files) {
    options.provenance +=
        fmt::format("{}{}", options.provenance.empty() ? "" : ", ", file.filename().string());
  }
  options.provenance +=
      fmt::format("; {} rows of {} queries; edge {}; cloud {}; seed {}", dataset.rows().size(),
                  dataset.queries(), endpoints_of(dataset, Tier::kEdge),
                  endpoints_of(dataset, Tier::kCloud), seed);
  HF_TRY(learn::Trained trained, learn::train(examples, options));
  trained.model.arms = accuracies;
  return trained;
}

std::string training_text(const learn::Trained& trained) {
  const learn::TrainReport& report = trained.report;
  std::string text = fmt::format(
      "{}\nrows     {} to train, {} to calibrate, {} to test ({}, {}, {} queries)\n",
      trained.model.provenance, report.rows.train, report.rows.calibration, report.rows.test,
      report.queries.train, report.queries.calibration, report.queries.test);
  if (report.left_out > 0) {
    text +=
        fmt::format("         {} test rows left out: training saw their text\n", report.left_out);
  }
  text += "\nOn the test rows, with 95 % intervals:\n";
  text += fmt::format("{:25}{:>6}  {:29}{:29}{}\n", "P(right)", "rows", "AUROC", "ECE", "Brier");
  for (const learn::HeadReport& head : report.heads) {
    text += fmt::format("{:25}{:>6}  {:29}{:29}{:.4f}\n", head.name, head.metrics.rows,
                        with_interval(head.metrics.auroc), with_interval(head.metrics.ece),
                        head.metrics.brier.value);
  }
  text += fmt::format("\nAUROC of the predicted gain for \"cloud right, edge wrong\": {}\n",
                      with_interval(report.fixes));
  if (report.fixes_after_attempt) {
    text += fmt::format("  after an attempt on the edge:                            {}\n",
                        with_interval(*report.fixes_after_attempt));
  }
  for (const learn::CountReport& count : report.counts) {
    text += fmt::format(
        "{:13} {:.0f} % of the variance explained, {:.1f} % below the predicted "
        "90th percentile\n",
        count.name, count.explained * 100, count.below_p90 * 100);
  }
  return text;
}

}  // namespace hf::eval
