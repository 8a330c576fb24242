#include "learn/text_head.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/rng.h"
#include "learn/numeric.h"
#include "learn/split.h"

namespace hf::learn {
namespace {

// The logit t with t = z - pull * (sigmoid(t) - share): where this row's share of the weights
// agrees with what they predict. The left side minus the right only rises, so Newton inside a
// shrinking bracket cannot miss.
double agreed_logit(double z, double pull, double share) {
  double low = z - pull * (1 - share);
  double high = z + pull * share;
  double t = z;
  for (int i = 0; i < 30; ++i) {
    const double p = sigmoid(t);
    const double excess = t - z + pull * (p - share);
    (excess > 0 ? high : low) = t;
    double next = t - excess / (1 + pull * p * (1 - p));
    if (!(next > low && next < high)) next = (low + high) / 2;
    const double moved = std::abs(next - t);
    t = next;
    if (moved < 1e-9) break;
  }
  return t;
}

void shuffle(std::vector<std::size_t>& order, Rng& rng) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
}

TextHead rounded(std::span<const double> exact) {
  constexpr double kMost = 127;
  double largest = 0;
  for (const double weight : exact.first(kTextTerms)) largest = std::max(largest, std::abs(weight));
  TextHead head;
  head.bias = exact[kTextTerms];
  head.scale = largest / kMost;
  head.weights.resize(kTextTerms);
  if (largest == 0) return head;
  for (std::size_t i = 0; i < kTextTerms; ++i) {
    head.weights[i] = static_cast<std::int8_t>(std::lround(exact[i] / head.scale));
  }
  return head;
}

}  // namespace

void TermRows::add(std::span<const Term> terms) {
  terms_.insert(terms_.end(), terms.begin(), terms.end());
  ends_.push_back(terms_.size());
}

std::span<const Term> TermRows::row(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::span(terms_).subspan(begin, ends_[i] - begin);
}

double TextHead::score(std::span<const Term> terms) const {
  if (weights.empty()) return bias;
  double sum = 0;
  for (const Term& term : terms) sum += double{term.weight} * weights[term.index];
  return bias + scale * sum;
}

// The dual of min |w|^2/2 + C * sum of losses has one unknown a row, u in (0, 1), with
// w = C * sum of (target - u) x; at the optimum u is the row's predicted probability.
std::vector<double> fit_text_exactly(const TermRows& texts, std::span<const double> targets,
                                     std::span<const std::size_t> rows, const TextFit& options) {
  std::vector<double> weights(kTextTerms + 1);
  double& bias = weights[kTextTerms];
  std::vector<double> shares(texts.size());
  for (const std::size_t row : rows) shares[row] = targets[row];
  std::vector<std::size_t> order(rows.begin(), rows.end());
  Rng rng(options.seed);
  for (int round = 0; round < options.rounds_max; ++round) {
    shuffle(order, rng);
    double largest_move = 0;
    for (const std::size_t row : order) {
      double z = bias;
      double square = 1;  // Of the bias, a term of weight 1 in every row.
      for (const Term& term : texts.row(row)) {
        z += weights[term.index] * double{term.weight};
        square += double{term.weight} * double{term.weight};
      }
      const double share = sigmoid(agreed_logit(z, options.strength * square, shares[row]));
      const double move = share - shares[row];
      shares[row] = share;
      largest_move = std::max(largest_move, std::abs(move));
      const double step = -options.strength * move;
      bias += step;
      for (const Term& term : texts.row(row)) weights[term.index] += step * double{term.weight};
    }
    if (largest_move < options.tolerance) break;
  }
  return weights;
}

TextHead fit_text(const TermRows& texts, std::span<const double> targets,
                  std::span<const std::size_t> rows, const TextFit& options) {
  return rounded(fit_text_exactly(texts, targets, rows, options));
}

std::vector<double> cross_fitted(const TermRows& texts, std::span<const double> targets,
                                 std::span<const std::size_t> rows,
                                 std::span<const std::size_t> folds, const TextFit& options) {
  std::vector<double> scores(rows.size());
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<std::size_t> others;
    for (const std::size_t row : rows) {
      if (folds[row] != fold) others.push_back(row);
    }
    if (others.size() == rows.size()) continue;
    const TextHead head = fit_text(texts, targets, others, options);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (folds[rows[i]] == fold) scores[i] = head.score(texts.row(rows[i]));
    }
  }
  return scores;
}

}  // namespace hf::learn
