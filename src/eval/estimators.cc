#include "eval/estimators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hf::eval {
namespace {

Result<void> check(std::span<const LoggedDecision> log) {
  for (std::size_t i = 0; i < log.size(); ++i) {
    const LoggedDecision& decision = log[i];
    if (!(decision.propensity > 0 && decision.propensity <= 1)) {
      return fail(Code::kInvalidInput,
                  fmt::format("Decision {} has a propensity of {}, but it must be above 0 and at "
                              "most 1.",
                              i + 1, decision.propensity));
    }
    if (!(decision.target >= 0 && decision.target <= 1)) {
      return fail(Code::kInvalidInput,
                  fmt::format("Decision {} has a target probability of {}, but it must be from 0 "
                              "to 1.",
                              i + 1, decision.target));
    }
    if (!std::isfinite(decision.reward) || !std::isfinite(decision.predicted_logged) ||
        !std::isfinite(decision.predicted_target)) {
      return fail(Code::kInvalidInput,
                  fmt::format("Decision {} has a reward or prediction that is no number.", i + 1));
    }
  }
  return {};
}

std::size_t count_queries(std::span<const LoggedDecision> log) {
  std::size_t count = log.empty() ? 0 : 1;
  for (std::size_t i = 1; i < log.size(); ++i) {
    if (log[i].query != log[i - 1].query) ++count;
  }
  return count;
}

// The standard error of sum(errors) / `scale`, where queries are independent and errors have the
// mean 0.
double standard_error(std::span<const LoggedDecision> log, std::span<const double> errors,
                      double scale, std::size_t queries) {
  double squares = 0;
  double of_query = 0;
  for (std::size_t i = 0; i < log.size(); ++i) {
    of_query += errors[i];
    if (i + 1 < log.size() && log[i + 1].query == log[i].query) continue;
    squares += of_query * of_query;
    of_query = 0;
  }
  const auto count = static_cast<double>(queries);
  return std::sqrt(squares * count / (count - 1)) / scale;
}

double doubly_robust(const LoggedDecision& decision, double weight) {
  return decision.predicted_target + weight * (decision.reward - decision.predicted_logged);
}

}  // namespace

Result<OffPolicyEstimates> estimate_off_policy(std::span<const LoggedDecision> log,
                                               double weight_max) {
  HF_CHECK(check(log));
  const std::size_t queries = count_queries(log);
  if (queries < 2) {
    return fail(Code::kInvalidInput, "An estimate needs logged decisions of at least two queries.");
  }
  OffPolicyEstimates result;
  std::vector<double> weights;
  double sum = 0;
  double squares = 0;
  for (const LoggedDecision& decision : log) {
    const double weight = decision.target / decision.propensity;
    if (weight > weight_max) ++result.clipped;
    weights.push_back(std::min(weight, weight_max));
    sum += weights.back();
    squares += weights.back() * weights.back();
  }
  if (sum == 0) {
    return fail(Code::kInvalidInput,
                "The judged policy would do nothing of what was logged; log more exploration.");
  }
  result.effective_size = sum * sum / squares;

  const auto count = static_cast<double>(log.size());
  std::vector<double> terms(log.size());
  // The mean of the terms that `term` makes, or their sum over `scale`.
  const auto estimate = [&](double scale, auto term, auto error) {
    double total = 0;
    for (std::size_t i = 0; i < log.size(); ++i) total += term(weights[i], log[i]);
    Estimate made{.value = total / scale};
    for (std::size_t i = 0; i < log.size(); ++i) terms[i] = error(weights[i], log[i], made.value);
    made.standard_error = standard_error(log, terms, scale, queries);
    return made;
  };
  const auto ips = [](double w, const LoggedDecision& d) { return w * d.reward; };
  const auto dr = [](double w, const LoggedDecision& d) { return doubly_robust(d, w); };
  result.ips = estimate(
      count, ips, [&](double w, const LoggedDecision& d, double mean) { return ips(w, d) - mean; });
  result.snips = estimate(sum, ips, [](double w, const LoggedDecision& d, double mean) {
    return w * (d.reward - mean);
  });
  result.dr = estimate(
      count, dr, [&](double w, const LoggedDecision& d, double mean) { return dr(w, d) - mean; });
  return result;
}

Result<Estimate> estimate_difference(std::span<const LoggedDecision> judged,
                                     std::span<const LoggedDecision> other, double weight_max) {
  HF_CHECK(check(judged));
  HF_CHECK(check(other));
  const auto is_same = [](const LoggedDecision& a, const LoggedDecision& b) {
    return a.query == b.query && a.reward == b.reward && a.propensity == b.propensity;
  };
  if (!std::ranges::equal(judged, other, is_same)) {
    return fail(Code::kInvalidInput,
                "A difference needs the same logged decisions for both policies, in one order.");
  }
  const std::size_t queries = count_queries(judged);
  if (queries < 2) {
    return fail(Code::kInvalidInput, "An estimate needs logged decisions of at least two queries.");
  }
  const auto value_of = [&](const LoggedDecision& decision) {
    return doubly_robust(decision, std::min(decision.target / decision.propensity, weight_max));
  };
  const auto count = static_cast<double>(judged.size());
  std::vector<double> errors(judged.size());
  Estimate difference;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    errors[i] = value_of(judged[i]) - value_of(other[i]);
    difference.value += errors[i] / count;
  }
  for (double& each : errors) each -= difference.value;
  difference.standard_error = standard_error(judged, errors, count, queries);
  return difference;
}

}  // namespace hf::eval
