#include "learn/weights.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "learn/bytes.h"
#include "learn/numeric.h"

namespace hf::learn {
namespace {

constexpr Seal kModelSeal{"HFLEARN\n", 1, "a weights file"};
constexpr Seal kOnlineSeal{"HFONLIN\n", 1, "a saved state of the online learner"};

// One function a type and direction, the two side by side: put() writes it, take() reads it back
// and requires all that the type's own functions rely on.

void put(ByteWriter& to, const std::vector<double>& values) {
  to.count(values.size());
  for (const double value : values) to.f64(value);
}
void take(ByteReader& from, std::vector<double>& values) {
  values.resize(from.count(8));
  for (double& value : values) value = from.f64();
}

void put(ByteWriter& to, const TextHead& head) {
  to.f64(head.scale);
  to.f64(head.bias);
  to.count(head.weights.size());
  for (const std::int8_t weight : head.weights) to.u8(static_cast<std::uint8_t>(weight));
}
void take(ByteReader& from, TextHead& head) {
  head.scale = from.f64();
  head.bias = from.f64();
  head.weights.resize(from.count(1));
  for (std::int8_t& weight : head.weights) weight = static_cast<std::int8_t>(from.u8());
  from.require(head.weights.empty() || head.weights.size() == kTextTerms);
}

void put(ByteWriter& to, const Standard& standard) {
  put(to, standard.mean);
  put(to, standard.scale);
}
void take(ByteReader& from, Standard& standard, std::size_t inputs) {
  take(from, standard.mean);
  take(from, standard.scale);
  from.require(standard.mean.size() == inputs && standard.scale.size() == inputs);
}

void put(ByteWriter& to, const CalibratedHead& head) {
  put(to, head.dense.standard);
  put(to, head.dense.weights);
  put(to, head.dense.spread);
  put(to, head.map.scores);
  put(to, head.map.values);
}
void take(ByteReader& from, CalibratedHead& head, std::size_t inputs) {
  take(from, head.dense.standard, inputs);
  take(from, head.dense.weights);
  take(from, head.dense.spread);
  take(from, head.map.scores);
  take(from, head.map.values);
  const auto& [scores, values] = head.map;
  from.require(head.dense.weights.size() == inputs + 1 &&
               head.dense.spread.size() == triangle(inputs + 1, 0) &&
               scores.size() == values.size());
  from.require(std::ranges::is_sorted(scores, std::ranges::less_equal{}) &&
               std::ranges::is_sorted(values));
  from.require(values.empty() ||
               (values.front() >= IsotonicMap::kLowest && values.back() <= IsotonicMap::kHighest));
}

void put(ByteWriter& to, const CountHead& head) {
  put(to, head.standard);
  put(to, head.weights);
  to.f64(head.log_sd);
  to.f64(head.log_low);
  to.f64(head.log_high);
}
void take(ByteReader& from, CountHead& head, std::size_t inputs) {
  take(from, head.standard, inputs);
  take(from, head.weights);
  head.log_sd = from.f64();
  head.log_low = from.f64();
  head.log_high = from.f64();
  from.require(head.weights.size() == inputs + 1 && head.log_sd >= 0 &&
               head.log_low <= head.log_high);
}

void put(ByteWriter& to, const Spread& spread) {
  to.count(spread.ranges.size());
  for (const Spread::Range& range : spread.ranges) {
    to.f64(range.below);
    to.f64(range.mean);
    to.f64(range.sd);
  }
}
void take(ByteReader& from, Spread& spread) {
  spread.ranges.resize(from.count(24));
  for (Spread::Range& range : spread.ranges) {
    range.below = from.f64();
    range.mean = from.f64();
    range.sd = from.f64();
    from.require(range.sd >= 0);
  }
}

void put(ByteWriter& to, const PosteriorHeads& heads) {
  put(to, heads.kept);
  put(to, heads.cloud);
  put(to, heads.shift);
}
void take(ByteReader& from, PosteriorHeads& heads, std::size_t inputs) {
  take(from, heads.kept, inputs);
  take(from, heads.cloud, inputs);
  take(from, heads.shift);
}

template <class T>
void put(ByteWriter& to, const std::optional<T>& value) {
  to.u8(value ? 1 : 0);
  if (value) put(to, *value);
}
template <class T>
void take(ByteReader& from, std::optional<T>& value, std::size_t inputs) {
  const std::uint8_t is_there = from.u8();
  from.require(is_there <= 1);
  if (is_there == 1) take(from, value.emplace(), inputs);
}

void put(ByteWriter& to, const CategoryMeans& means) {
  to.u32(means.key);
  to.u32(means.rows);
  to.f64(means.edge);
  to.f64(means.cloud);
  to.f64(means.relative_cost);
}
void take(ByteReader& from, CategoryMeans& means) {
  means.key = from.u32();
  means.rows = from.u32();
  means.edge = from.f64();
  means.cloud = from.f64();
  means.relative_cost = from.f64();
}

void put(ByteWriter& to, const PastRow& row) {
  to.count(row.inputs.size());
  for (const float input : row.inputs) to.f32(input);
  to.f32(row.edge);
  to.f32(row.cloud);
  to.f32(row.kept);
  to.f32(row.relative_cost);
}
void take(ByteReader& from, PastRow& row, std::size_t prior, std::size_t all) {
  row.inputs.resize(from.count(4));
  from.require(row.inputs.size() == prior || row.inputs.size() == all);
  for (float& input : row.inputs) input = from.f32();
  row.edge = from.f32();
  row.cloud = from.f32();
  row.kept = from.f32();
  row.relative_cost = from.f32();
  for (const float right : {row.edge, row.cloud, row.kept}) {
    from.require(right == PastRow::kUnknown || (right >= 0 && right <= 1));
  }
  from.require(row.relative_cost >= 0);
}

void put(ByteWriter& to, const ArmAccuracy& arm) {
  to.u64(arm.endpoint);
  to.f64(arm.accuracy);
}
void take(ByteReader& from, ArmAccuracy& arm) {
  arm.endpoint = from.u64();
  arm.accuracy = from.f64();
  from.require(arm.accuracy >= 0 && arm.accuracy <= 1);
}

Model take_model(ByteReader& from) {
  Model model;
  model.inputs_version = from.u32();
  model.prior_inputs = from.u32();
  model.attempt_inputs = from.u32();
  model.edge_text_input = from.u32();
  model.cloud_text_input = from.u32();
  const std::size_t prior = model.prior_inputs;
  const std::size_t all = prior + model.attempt_inputs;
  from.require(all <= kDenseMax && model.edge_text_input < prior && model.cloud_text_input < prior);
  if (from.is_broken()) return model;
  take(from, model.edge_text);
  take(from, model.cloud_text);
  take(from, model.edge, prior);
  take(from, model.cloud, prior);
  take(from, model.gain);
  take(from, model.posterior, all);
  take(from, model.edge_tokens, prior);
  take(from, model.cloud_tokens, prior);
  take(from, model.overall);
  model.categories.resize(from.count(32));
  for (CategoryMeans& means : model.categories) take(from, means);
  model.past.resize(from.count(24));
  for (PastRow& row : model.past) take(from, row, prior, all);
  model.arms.resize(from.count(16));
  for (ArmAccuracy& arm : model.arms) take(from, arm);
  model.fingerprints.resize(from.count(8));
  for (std::uint64_t& print : model.fingerprints) print = from.u64();
  model.provenance = from.text();
  from.require(
      std::ranges::is_sorted(model.categories, std::ranges::less_equal{}, &CategoryMeans::key) &&
      std::ranges::is_sorted(model.arms, std::ranges::less_equal{}, &ArmAccuracy::endpoint) &&
      std::ranges::is_sorted(model.fingerprints, std::ranges::less_equal{}));
  from.require(model.past.size() <= Model::kPastMax);
  return model;
}

}  // namespace

std::string to_bytes(const Model& model) {
  ByteWriter to;
  to.u32(model.inputs_version);
  to.u32(model.prior_inputs);
  to.u32(model.attempt_inputs);
  to.u32(model.edge_text_input);
  to.u32(model.cloud_text_input);
  put(to, model.edge_text);
  put(to, model.cloud_text);
  put(to, model.edge);
  put(to, model.cloud);
  put(to, model.gain);
  put(to, model.posterior);
  put(to, model.edge_tokens);
  put(to, model.cloud_tokens);
  put(to, model.overall);
  to.count(model.categories.size());
  for (const CategoryMeans& means : model.categories) put(to, means);
  to.count(model.past.size());
  for (const PastRow& row : model.past) put(to, row);
  to.count(model.arms.size());
  for (const ArmAccuracy& arm : model.arms) put(to, arm);
  to.count(model.fingerprints.size());
  for (const std::uint64_t print : model.fingerprints) to.u64(print);
  to.text(model.provenance);
  return sealed(kModelSeal, to.bytes());
}

Result<Model> model_from(std::string_view bytes) {
  HF_TRY(const std::string_view content, opened(kModelSeal, bytes));
  ByteReader from(content);
  Model model = take_model(from);
  if (from.is_done()) return model;
  return fail(Code::kInvalidInput,
              "This is a weights file whose parts do not fit together: make it anew.");
}

std::string to_bytes(const OnlineState& state) {
  ByteWriter to;
  to.u32(state.inputs);
  to.u64(state.updates);
  for (const double weight : state.weights) to.f64(weight);
  for (const double value : state.covariance) to.f64(value);
  for (const OnlineCategory& category : state.categories) {
    to.u32(category.key);
    to.f64(category.rows);
    to.f64(category.mean);
  }
  return sealed(kOnlineSeal, to.bytes());
}

Result<OnlineHead> online_head_from(std::string_view bytes) {
  HF_TRY(const std::string_view content, opened(kOnlineSeal, bytes));
  ByteReader from(content);
  OnlineState state;
  state.inputs = from.u32();
  state.updates = from.u64();
  for (double& weight : state.weights) weight = from.f64();
  for (double& value : state.covariance) value = from.f64();
  for (OnlineCategory& category : state.categories) {
    category.key = from.u32();
    category.rows = from.f64();
    category.mean = from.f64();
  }
  if (!from.is_done()) {
    return fail(Code::kInvalidInput,
                "This is a saved state of the online learner whose parts do not fit: delete it to "
                "start from the trained weights again.");
  }
  return OnlineHead::restore(state);
}

}  // namespace hf::learn
