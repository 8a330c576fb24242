#include "learn/examples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "learn/numeric.h"
#include "learn/split.h"

namespace hf::learn {
namespace {

std::unexpected<Error> refuse(std::size_t row, const Example& example, const std::string& what) {
  return fail(Code::kInvalidInput,
              fmt::format("Example {} (query {}): {}", row, example.query, what));
}

Result<void> check_numbers(std::size_t row, const Example& example) {
  const auto is_finite = [](float value) { return std::isfinite(value); };
  if (!std::ranges::all_of(example.prior, is_finite) ||
      !std::ranges::all_of(example.attempt, is_finite)) {
    return refuse(row, example, "an input is not a finite number.");
  }
  for (const auto& right : {example.edge, example.cloud, example.kept}) {
    if (right && !(*right >= 0 && *right <= 1)) {
      return refuse(row, example,
                    fmt::format("an answer is {} right, but must be from 0 to 1.", *right));
    }
  }
  for (const auto& tokens : {example.edge_tokens, example.cloud_tokens}) {
    if (tokens && !(*tokens >= 0 && *tokens <= 1e12)) {
      return refuse(row, example,
                    fmt::format("an answer has {} tokens, but must have 0 to 1e12.", *tokens));
    }
  }
  if (!(example.relative_cost >= 0 && example.relative_cost <= 1e12)) {
    return refuse(
        row, example,
        fmt::format("the relative cost is {}, but must be from 0 to 1e12.", example.relative_cost));
  }
  return {};
}

Result<void> check_sizes(std::span<const Example> examples) {
  const std::size_t prior = examples[0].prior.size();
  std::size_t attempt = 0;
  for (std::size_t row = 0; row < examples.size(); ++row) {
    const Example& example = examples[row];
    if (example.prior.size() != prior) {
      return refuse(row, example,
                    fmt::format("it has {} prior inputs, but the first example has "
                                "{}.",
                                example.prior.size(), prior));
    }
    if (example.attempt.empty()) continue;
    if (attempt == 0) attempt = example.attempt.size();
    if (example.attempt.size() != attempt || prior + attempt > kDenseMax) {
      return refuse(row, example,
                    fmt::format("it has {} inputs of an attempt; all attempts need "
                                "the same number, at most {} with the prior ones.",
                                example.attempt.size(), kDenseMax));
    }
  }
  return {};
}

Result<void> check_arms(std::vector<ArmAccuracy> arms) {
  std::ranges::sort(arms, {}, &ArmAccuracy::endpoint);
  const bool is_twice = std::ranges::adjacent_find(arms, {}, &ArmAccuracy::endpoint) != arms.end();
  if (is_twice || !std::ranges::all_of(arms, [](const ArmAccuracy& arm) {
        return arm.accuracy >= 0 && arm.accuracy <= 1;
      })) {
    return fail(Code::kInvalidInput,
                "Each edge endpoint needs one accuracy from 0 to 1; one is given twice or beyond.");
  }
  return {};
}

double mean_loss(std::span<const double> scores, std::span<const double> targets,
                 const Rows& rows) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double p = std::clamp(sigmoid(scores[i]), 1e-12, 1 - 1e-12);
    const double target = targets[rows[i]];
    sum -= target * logarithm(p) + (1 - target) * logarithm(1 - p);
  }
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

}  // namespace

Result<void> check_examples(std::span<const Example> examples, const TrainOptions& options) {
  if (examples.empty()) return fail(Code::kInvalidInput, "There are no examples to learn from.");
  const std::size_t prior = examples[0].prior.size();
  if (options.edge_text_input >= prior || options.cloud_text_input >= prior ||
      options.edge_text_input == options.cloud_text_input || prior > kDenseMax) {
    return fail(Code::kInvalidInput,
                fmt::format("The text scores are to be inputs {} and {} of {}; they must be two "
                            "different ones, and at most {} inputs in all.",
                            options.edge_text_input, options.cloud_text_input, prior, kDenseMax));
  }
  const auto is_strength = [](double strength) { return strength > 0 && strength <= 1e6; };
  if (options.text_strengths.empty() || !std::ranges::all_of(options.text_strengths, is_strength) ||
      !(options.ridge >= 0 && options.ridge <= 1e12)) {
    return fail(Code::kInvalidInput,
                "Training needs at least one text strength, above 0 and at most 1e6, and a ridge "
                "from 0 to 1e12.");
  }
  HF_CHECK(check_arms(options.arms));
  HF_CHECK(check_sizes(examples));
  for (std::size_t row = 0; row < examples.size(); ++row) {
    HF_CHECK(check_numbers(row, examples[row]));
  }
  return {};
}

Examples::Examples(std::span<const Example> examples)
    : examples_(examples), width_(examples[0].prior.size()) {
  TextTerms reader;
  for (std::size_t row = 0; row < examples.size(); ++row) {
    const Example& example = examples[row];
    texts_.add(reader.read(example.text, example.category));
    folds_.push_back(fold_of(example.query));
    priors_.insert(priors_.end(), example.prior.begin(), example.prior.end());
    const Split split = split_of(example.query);
    (split == Split::kTrain ? train_ : split == Split::kTest ? test_ : calibration_).push_back(row);
    if (split != Split::kTest) fingerprints_.push_back(fingerprint(example.text));
  }
  std::ranges::sort(fingerprints_);
  fingerprints_.erase(std::ranges::unique(fingerprints_).begin(), fingerprints_.end());
  left_out_ = std::erase_if(test_, [&](std::size_t row) {
    return std::ranges::binary_search(fingerprints_, fingerprint(examples[row].text));
  });
}

RowCounts Examples::queries() const {
  const auto count = [&](const Rows& rows) {
    std::vector<std::uint64_t> names;
    for (const std::size_t row : rows) names.push_back(stable_hash(examples_[row].query));
    std::ranges::sort(names);
    return static_cast<std::size_t>(std::ranges::unique(names).begin() - names.begin());
  };
  return {count(train_), count(calibration_), count(test_)};
}

Examples::FittedText Examples::fit_text_input(Target target, std::size_t input,
                                              const TrainOptions& options) {
  std::vector<double> targets(size());
  Rows rows;
  for (const std::size_t row : train_) {
    if (!(examples_[row].*target)) continue;
    targets[row] = *(examples_[row].*target);
    rows.push_back(row);
  }
  TextFit fit{.seed = options.seed};
  FittedText best;
  std::vector<double> best_scores;
  double least = 0;
  for (const double strength : options.text_strengths) {
    fit.strength = strength;
    std::vector<double> scores = cross_fitted(texts_, targets, rows, folds_, fit);
    const double loss = mean_loss(scores, targets, rows);
    if (!best_scores.empty() && loss >= least) continue;
    least = loss;
    best.strength = strength;
    best_scores = std::move(scores);
  }
  fit.strength = best.strength;
  best.head = fit_text(texts_, targets, rows, fit);
  const auto place = [&](std::size_t row) -> float& { return priors_[row * width_ + input]; };
  for (std::size_t row = 0; row < size(); ++row) {
    place(row) = static_cast<float>(best.head.score(texts_.row(row)));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    place(rows[i]) = static_cast<float>(best_scores[i]);
  }
  return best;
}

std::span<const float> Examples::prior(std::size_t row) const {
  return std::span(priors_).subspan(row * width_, width_);
}

std::vector<float> Examples::with_attempt(std::size_t row) const {
  std::vector<float> inputs(prior(row).begin(), prior(row).end());
  inputs.insert(inputs.end(), examples_[row].attempt.begin(), examples_[row].attempt.end());
  return inputs;
}

}  // namespace hf::learn
