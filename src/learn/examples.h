// The trainer's view of its examples: which rows serve what, and the inputs of the dense heads with
// their text scores filled in. Internal to the trainer.
// Thread safety: none.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "learn/trainer.h"

namespace hf::learn {

// Whether the examples fit each other and the options.
Result<void> check_examples(std::span<const Example> examples, const TrainOptions& options);

// Ascending indexes of examples.
using Rows = std::vector<std::size_t>;

using Target = std::optional<double> Example::*;

class Examples {
 public:
  // REQUIRES: check_examples() has passed; `examples` outlive this.
  explicit Examples(std::span<const Example> examples);

  [[nodiscard]] const Example& operator[](std::size_t row) const { return examples_[row]; }
  [[nodiscard]] const Rows& train() const { return train_; }
  [[nodiscard]] const Rows& calibration() const { return calibration_; }
  [[nodiscard]] const Rows& test() const { return test_; }
  [[nodiscard]] std::size_t size() const { return examples_.size(); }
  [[nodiscard]] std::size_t left_out() const { return left_out_; }
  [[nodiscard]] const std::vector<std::uint64_t>& fingerprints() const { return fingerprints_; }
  [[nodiscard]] RowCounts queries() const;

  // Fits a text head to the training rows that have `target`, with the best of the strengths, and
  // puts its scores into that input of every row: for those training rows the cross-fitted ones.
  struct FittedText {
    TextHead head;
    double strength = 0;
  };
  FittedText fit_text_input(Target target, std::size_t input, const TrainOptions& options);

  [[nodiscard]] std::span<const float> prior(std::size_t row) const;

  // The prior inputs and then those of the attempt. REQUIRES: the row has an attempt.
  [[nodiscard]] std::vector<float> with_attempt(std::size_t row) const;

 private:
  std::span<const Example> examples_;
  Rows train_;
  Rows calibration_;
  Rows test_;
  std::size_t left_out_ = 0;
  std::vector<std::uint64_t> fingerprints_;
  std::vector<std::size_t> folds_;
  TermRows texts_;
  std::size_t width_ = 0;
  std::vector<float> priors_;
};

}  // namespace hf::learn
