#include "learn/model.h"

#include <algorithm>

#include "base/assert.h"
#include "learn/split.h"

namespace hf::learn {

// The error of the logit is kept and carried over to the calibrated probability.
Estimate CalibratedHead::predict(std::span<const float> inputs) const {
  Estimate estimate = dense.predict(inputs);
  const double raw_slope = estimate.probability * (1 - estimate.probability);
  const double logit_error = raw_slope > 0 ? estimate.error / raw_slope : 0;
  estimate.probability = map(estimate.logit);
  estimate.error = estimate.probability * (1 - estimate.probability) * logit_error;
  return estimate;
}

Spread::Range Spread::at(double predicted) const {
  if (ranges.empty()) return {};
  std::size_t i = 0;
  while (i + 1 < ranges.size() && predicted >= ranges[i].below) ++i;
  return ranges[i];
}

void score_text(const Model& model, std::span<const Term> terms, std::span<float> inputs) {
  HF_ASSERT(model.edge_text_input < inputs.size() && model.cloud_text_input < inputs.size());
  inputs[model.edge_text_input] = static_cast<float>(model.edge_text.score(terms));
  inputs[model.cloud_text_input] = static_cast<float>(model.cloud_text.score(terms));
}

Prior predict_prior(const Model& model, std::span<const float> inputs) {
  return {model.edge.predict(inputs), model.cloud.predict(inputs)};
}

Posterior predict_posterior(const Model& model, std::span<const float> inputs) {
  HF_ASSERT(model.posterior.has_value());
  return {model.posterior->kept.predict(inputs), model.posterior->cloud.predict(inputs)};
}

CategoryMeans category_means(const Model& model, std::uint32_t key) {
  constexpr double kPriorRows = 8;
  const auto found = std::ranges::lower_bound(model.categories, key, {}, &CategoryMeans::key);
  if (found == model.categories.end() || found->key != key) return model.overall;
  const double share = found->rows / (found->rows + kPriorRows);
  const auto drawn = [&](double CategoryMeans::* mean) {
    return share * (*found).*mean + (1 - share) * model.overall.*mean;
  };
  return {key, found->rows, drawn(&CategoryMeans::edge), drawn(&CategoryMeans::cloud),
          drawn(&CategoryMeans::relative_cost)};
}

bool has_seen(const Model& model, std::string_view text) {
  return std::ranges::binary_search(model.fingerprints, fingerprint(text));
}

}  // namespace hf::learn
