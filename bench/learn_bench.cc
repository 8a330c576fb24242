// What learning costs: a decision's share of it (reading a text, asking the heads, correcting
// online) with its heap allocations, and a whole training.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "../tests/count_allocations.h"
#include "base/rng.h"
#include "learn/numeric.h"
#include "learn/online.h"
#include "learn/split.h"
#include "learn/trainer.h"
#include "learn/weights.h"

namespace hf::learn {
namespace {

constexpr std::size_t kPrior = 48;
constexpr std::size_t kAttempt = 16;

// Questions of about 500 bytes out of 5,000 words, some of which make them hard.
std::string question(Rng& rng, double& ease) {
  std::string text;
  while (text.size() < 500) {
    // The square makes some words common, as in a language.
    std::uint64_t word = rng.below(5000) * rng.below(5000) / 5000;
    ease += word % 7 == 0 ? 0.25 : word % 7 == 1 ? -0.25 : 0;
    for (word += 30; word > 0; word /= 26) text += static_cast<char>('a' + word % 26);
    text += rng.below(12) == 0 ? ", " : " ";
  }
  return text;
}

std::vector<Example> examples_of(std::int64_t count) {
  std::vector<Example> examples;
  Rng rng(1);
  for (std::int64_t i = 0; i < count; ++i) {
    Example example;
    double ease = 0;
    example.query = std::to_string(i);
    example.text = question(rng, ease);
    example.category = std::to_string(i % 14);
    example.edge = rng.unit() < sigmoid(ease) ? 1 : 0;
    example.cloud = rng.unit() < sigmoid(ease + 1) ? 1 : 0;
    example.kept = example.edge;
    example.edge_tokens = static_cast<double>(50 + rng.below(500));
    example.cloud_tokens = static_cast<double>(50 + rng.below(500));
    for (std::size_t k = 0; k < kPrior; ++k)
      example.prior.push_back(static_cast<float>(rng.unit()));
    for (std::size_t k = 0; k < kAttempt; ++k) {
      example.attempt.push_back(static_cast<float>(rng.unit() + (k == 0 ? *example.edge : 0)));
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

const Model& model() {
  static const Model kModel = [] {
    TrainOptions options;
    options.text_strengths = {0.1};
    options.replicates = 0;
    return train(examples_of(1000), options)->model;
  }();
  return kModel;
}

// Sets `allocations` of one run to what it was a turn; the first turn warms up.
class AllocationsATurn {
 public:
  explicit AllocationsATurn(benchmark::State& state) : state_(state), before_(allocations) {}
  ~AllocationsATurn() {
    state_.counters["allocations"] =
        static_cast<double>(allocations - before_) / static_cast<double>(state_.iterations());
  }
  AllocationsATurn(const AllocationsATurn&) = delete;
  AllocationsATurn& operator=(const AllocationsATurn&) = delete;

 private:
  benchmark::State& state_;
  const std::int64_t before_;
};

void BM_ReadText(benchmark::State& state) {
  Rng rng(2);
  double ease = 0;
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0))) text += question(rng, ease);
  text.resize(static_cast<std::size_t>(state.range(0)));
  std::vector<float> inputs(kPrior);
  TextTerms reader;
  reader.read(text, "7");
  const Model& heads = model();
  const AllocationsATurn counter(state);
  for (auto _ : state) {
    score_text(heads, reader.read(text, "7"), inputs);
    benchmark::DoNotOptimize(inputs.data());
  }
}
BENCHMARK(BM_ReadText)->Arg(100)->Arg(700)->Arg(8192);

void BM_PredictPrior(benchmark::State& state) {
  const std::vector<float> inputs(kPrior, 0.4F);
  const Model& heads = model();
  const AllocationsATurn counter(state);
  for (auto _ : state) benchmark::DoNotOptimize(predict_prior(heads, inputs));
}
BENCHMARK(BM_PredictPrior);

void BM_PredictPosterior(benchmark::State& state) {
  const std::vector<float> inputs(kPrior + kAttempt, 0.4F);
  const Model& heads = model();
  const AllocationsATurn counter(state);
  for (auto _ : state) benchmark::DoNotOptimize(predict_posterior(heads, inputs));
}
BENCHMARK(BM_PredictPosterior);

void BM_PredictOneHead(benchmark::State& state) {
  const std::vector<float> inputs(kPrior + kAttempt, 0.4F);
  const CalibratedHead& head = model().posterior->kept;
  const AllocationsATurn counter(state);
  for (auto _ : state) benchmark::DoNotOptimize(head.predict(inputs));
}
BENCHMARK(BM_PredictOneHead);

void BM_LearnOnline(benchmark::State& state) {
  OnlineHead head(static_cast<std::size_t>(state.range(0)));
  std::vector<double> inputs(static_cast<std::size_t>(state.range(0)), 0.5);
  std::uint32_t category = 0;
  const AllocationsATurn counter(state);
  for (auto _ : state) {
    inputs[0] = -inputs[0];
    head.learn(inputs, ++category % 300, 0.1);
    benchmark::DoNotOptimize(head.correction(inputs, category % 300));
  }
}
BENCHMARK(BM_LearnOnline)->Arg(4)->Arg(16);

void BM_LoadWeights(benchmark::State& state) {
  const std::string bytes = to_bytes(model());
  for (auto _ : state) benchmark::DoNotOptimize(model_from(bytes));
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(BM_LoadWeights);

// The whole of it with the default options: text heads of five strengths, cross-fitted, four dense
// heads of 48 and 64 inputs, token heads, calibration, and a report with bootstrap intervals.
void BM_Train(benchmark::State& state) {
  const std::vector<Example> examples = examples_of(state.range(0));
  TrainOptions options;
  options.provenance = "benchmark";
  double auroc = 0;  // Reported, so that a faster wrong fit shows.
  for (auto _ : state) {
    const auto trained = train(examples, options);
    auroc = trained ? trained->report.heads[0].metrics.auroc.value : 0;
  }
  state.counters["auroc"] = auroc;
}
BENCHMARK(BM_Train)->Arg(300)->Arg(9000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hf::learn
