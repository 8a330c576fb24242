// Logistic regression over text terms: which words make an answer likely to be right.
//
// Fitted in the dual (Hsieh et al. 2008; Yu, Huang, Lin 2011 for the logistic loss): one number a
// row is solved for in turn, in a seeded order, until none moves any more. Targets may be
// fractions. Thread safety: const functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "learn/text_terms.h"

namespace hf::learn {

// The terms of many texts, one after the other.
class TermRows {
 public:
  void add(std::span<const Term> terms);
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] std::span<const Term> row(std::size_t i) const;

 private:
  std::vector<Term> terms_;
  std::vector<std::size_t> ends_;
};

// Weights in eight bits: the score is bias + scale * sum of (weight of the term here * its weight).
struct TextHead {
  std::vector<std::int8_t> weights;  // kTextTerms of them, or none: the score is the bias.
  double scale = 0;
  double bias = 0;

  // The logit of being right, of this text.
  [[nodiscard]] double score(std::span<const Term> terms) const;

  friend bool operator==(const TextHead&, const TextHead&) = default;
};

struct TextFit {
  double strength = 0.3;    // Of the data against the penalty of half the squared weights.
  int rounds_max = 100;     // Over all rows.
  double tolerance = 1e-3;  // Stops when no row's probability moves more in a round.
  std::uint64_t seed = 1;   // Of the order of the rows.
};

// A head from `rows` (indexes into `texts` and `targets`). Targets are from 0 to 1.
// REQUIRES: the indexes are in range.
TextHead fit_text(const TermRows& texts, std::span<const double> targets,
                  std::span<const std::size_t> rows, const TextFit& options);

// The same before it is rounded to eight bits: kTextTerms weights, then the bias.
std::vector<double> fit_text_exactly(const TermRows& texts, std::span<const double> targets,
                                     std::span<const std::size_t> rows, const TextFit& options);

// For each of `rows` the score by a head that was fitted to the other folds only.
// REQUIRES: `folds` gives every text's fold, below kFolds; the indexes are in range.
std::vector<double> cross_fitted(const TermRows& texts, std::span<const double> targets,
                                 std::span<const std::size_t> rows,
                                 std::span<const std::size_t> folds, const TextFit& options);

}  // namespace hf::learn
