// How good predicted probabilities are: calibration (ECE), Brier score, log loss and AUROC, each
// with a 95 % bootstrap interval in which whole queries are drawn, and the bins of a reliability
// diagram. A fractional target counts as that much of a right row and the rest of a wrong one.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hf::learn {

struct Scored {
  double predicted = 0;  // 0 to 1.
  double target = 0;     // 0 to 1.
  std::uint64_t query = 0;
};

// A value and where it would lie in 19 of 20 repetitions. The interval is that of the bootstrap,
// moved so that its median is the value: resampling alone makes an ECE larger, and an interval
// beside its value helps nobody.
struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
  bool is_defined = true;
};

struct Metrics {
  Interval ece;          // Mean distance of predicted and observed over bins of equal mass.
  double ece_floor = 0;  // What chance alone would make of it if every probability were true.
  Interval brier;        // Mean squared distance.
  Interval log_loss;     // In nats; a prediction counts as at least 1e-6 and at most 1 - 1e-6.
  Interval auroc{.is_defined = false};  // Undefined, and 0.5, if all targets agree.
  std::size_t rows = 0;
  std::size_t queries = 0;
};

struct MetricOptions {
  std::size_t bins = 15;
  std::size_t replicates = 1000;
  std::uint64_t seed = 1;
};

// Zeros if there are no rows. REQUIRES: at least one bin.
Metrics measure(std::span<const Scored> rows, const MetricOptions& options = {});

struct ReliabilityBin {
  double predicted = 0;  // Means over the bin.
  double observed = 0;
  double error = 0;  // Standard error of `observed`.
  std::size_t rows = 0;
};

// Bins of about equal size by prediction, ascending, none empty; equal predictions share a bin.
std::vector<ReliabilityBin> reliability(std::span<const Scored> rows, std::size_t bins = 15);

}  // namespace hf::learn
