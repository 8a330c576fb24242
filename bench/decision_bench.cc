// What one decision costs, with the shipped weights and everything around it filled in: graphs of
// 1, 6 and 12 steps, every policy, choosing and reviewing. Prints the median and the 99th
// percentile of single decisions, heap allocations a decision once it has met the largest graph,
// and the ratio to what `fixed` takes for the same. The aim: at most 50 us (p99) and none.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "../tests/count_allocations.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "learn/shipped.h"
#include "learn/weights.h"
#include "route/features.h"
#include "route/router.h"

namespace hf {
namespace {

constexpr PicoUsd kCent(kPicoPerUsd / 100);
constexpr auto kSecond = std::chrono::seconds(1);
constexpr std::array<std::int64_t, 3> kSizes = {1, 6, 12};

std::shared_ptr<const learn::Model> model() {
  static const auto made = [] {
    auto loaded = learn::model_from(learn::shipped_weights());
    if (!loaded) std::abort();
    return std::make_shared<const learn::Model>(*std::move(loaded));
  }();
  return made;
}

// Ready steps of graphs of one size, each relying on up to two before it, under a deadline and with
// two thirds of the money that they would cost.
class World {
 public:
  explicit World(std::int64_t steps) {
    const auto count = static_cast<std::uint32_t>(steps);
    FeatureReader reader(model());
    for (std::uint32_t i = 0; i < count; ++i) {
      Subtask subtask{.role = Role::kAnalyze, .relies_on = {}, .expected = Tokens(120)};
      if (i > 2) subtask.relies_on.push_back(static_cast<SubtaskId>(i - 3));
      if (i > 1) subtask.relies_on.push_back(static_cast<SubtaskId>(i - 1));
      graph_.add(std::move(subtask));
      times_.push_back({.time = (1 + i % 3) * kSecond});
      tails_.push_back((count - i) * kSecond);
      features_.push_back(reader.read("How many of the " + std::to_string(i * 7) +
                                          " marbles that Ann shares "
                                          "with 3 friends stay with her? A) 1 B) 2 C) 3 D) 4",
                                      0, i % 2 == 0 ? "math" : "law"));
    }
    candidates_[0] = {.endpoint = EndpointId{0},
                      .tier = Tier::kEdge,
                      .expected_usd = {},
                      .expected_time = 2 * kSecond,
                      .max_in_flight = 2};
    candidates_[1] = {.endpoint = EndpointId{1},
                      .tier = Tier::kCloud,
                      .expected_usd = kCent,
                      .expected_time = kSecond,
                      .max_in_flight = 9};
  }

  RouteInput input(Rng& rng) {
    const auto step = static_cast<std::uint32_t>(rng.below(graph_.size()));
    RouteInput input;
    input.query = QueryId{1 + rng.below(1000)};
    input.subtask = static_cast<SubtaskId>(step);
    input.is_whole_question = graph_.size() == 1;
    input.features = features_[step];
    input.expected = Tokens(120);
    input.elapsed = kSecond;
    input.deadline = 60 * kSecond;
    const auto ahead = static_cast<std::int64_t>(graph_.size());
    input.allowance = Allowance{.left = PicoUsd(kCent.count() * ahead * 2 / 3),
                                .ahead = kCent * ahead,
                                .decisions = static_cast<double>(ahead),
                                .spent = rng.unit()};
    if (graph_.size() > 1) {
      input.around = {.steps = times_, .tails = tails_, .graph = &graph_, .edge_places = 2};
    }
    input.voters = 4;
    input.vote_times = vote_times_;
    input.seed = rng.next();
    input.candidates = candidates_;
    return input;
  }

 private:
  Graph graph_;
  std::vector<StepTime> times_;
  std::vector<Duration> tails_;
  std::vector<TaskFeatures> features_;
  std::array<Candidate, 2> candidates_;
  const std::array<Duration, 4> vote_times_ = {kSecond, kSecond, 2 * kSecond, kSecond};
};

Attempt attempt_of(Rng& rng) {
  Attempt attempt;
  attempt.completion = Tokens(static_cast<std::int64_t>(20 + rng.below(200)));
  attempt.voters = 2;
  attempt.agreeing = static_cast<std::uint8_t>(rng.below(3));
  attempt.distinct = static_cast<std::uint8_t>(3 - attempt.agreeing);
  attempt.kept_share = (1.0 + attempt.agreeing) / 3;
  return attempt;
}

double quantile(std::vector<double>& list, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(list.size() - 1));
  std::ranges::nth_element(list, list.begin() + at);
  return list[static_cast<std::size_t>(at)];
}

// Medians of `fixed`, by what is measured and the size; the first policy that runs.
std::map<std::pair<bool, std::int64_t>, double>& yardsticks() {
  static std::map<std::pair<bool, std::int64_t>, double> medians;
  return medians;
}

void BM_Decision(benchmark::State& state, const std::string& policy, bool reviews) {
  constexpr std::size_t kKept = 1'000'000;  // Of the times; later ones take their place.
  PolicyOptions options;
  options.is_tuned = true;
  options.spar.second_price = 0.01;  // Or nothing around it would be looked at.
  const auto router = make_router(policy, options, model());
  Rng rng(1);
  World largest(kSizes.back());
  World world(state.range(0));
  const auto decide = [&](const RouteInput& input, const Attempt& attempt) {
    const Decision decision =
        reviews ? (*router)->review(input, attempt) : (*router)->choose(input);
    benchmark::DoNotOptimize(decision.utility);
    (*router)->settled(input, decision);
  };
  // Warm-up: thresholds are tuned, memories are full, scratch has its size.
  for (int i = 0; i < 2000; ++i) decide(largest.input(rng), attempt_of(rng));
  std::vector<double> times;
  times.reserve(kKept);
  std::size_t place = 0;
  std::int64_t allocated = 0;
  for (auto _ : state) {
    const RouteInput input = world.input(rng);
    const Attempt attempt = attempt_of(rng);
    const std::int64_t before = allocations;
    const auto begun = std::chrono::steady_clock::now();
    decide(input, attempt);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    allocated += allocations - before;
    state.SetIterationTime(took.count());
    const double micro = took.count() * 1e6;
    if (times.size() < kKept) {
      times.push_back(micro);
    } else {
      times[place++ % kKept] = micro;
    }
  }
  const double median = quantile(times, 0.5);
  if (policy == "fixed") yardsticks()[{reviews, state.range(0)}] = median;
  state.counters["p50_us"] = median;
  state.counters["p99_us"] = quantile(times, 0.99);
  state.counters["allocs"] =
      static_cast<double>(allocated) / static_cast<double>(state.iterations());
  const double fixed = yardsticks()[{reviews, state.range(0)}];
  if (fixed > 0) state.counters["x_fixed"] = median / fixed;
}

const bool kRegistered = [] {
  const auto add = [](std::string_view policy, bool reviews) {
    const std::string name(policy);
    auto* made = benchmark::RegisterBenchmark(
        ((reviews ? "review/" : "choose/") + name).c_str(),
        [name, reviews](benchmark::State& state) { BM_Decision(state, name, reviews); });
    for (const std::int64_t size : kSizes) made->Arg(size);
    made->UseManualTime();
  };
  for (const bool reviews : {false, true}) {
    add("fixed", reviews);
    for (const std::string_view policy : policy_names()) {
      if (policy != "fixed") add(policy, reviews);
    }
  }
  return true;
}();

}  // namespace
}  // namespace hf
