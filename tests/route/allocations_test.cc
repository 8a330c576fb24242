// Goal: once a policy has met a graph of twelve steps and filled its memory, deciding allocates
// nothing, in time of any price and for any of the policies.
// Method: the shipped weights; every allocation of this program is counted while each policy
// chooses, reviews and is told what became of it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "../count_allocations.h"
#include "base/rng.h"
#include "learn/shipped.h"
#include "learn/weights.h"
#include "route/features.h"
#include "route/router.h"

namespace hf {
namespace {

constexpr auto kSecond = std::chrono::seconds(1);
constexpr PicoUsd kCent(kPicoPerUsd / 100);
constexpr std::uint32_t kSteps = 12;

// A chain of twelve steps, each of which may also rely on the one before its predecessor.
struct Room {
  Graph graph;
  std::vector<StepTime> times;
  std::vector<Duration> tails;
  std::array<Candidate, 2> candidates;
  std::array<Duration, 3> vote_times = {kSecond, kSecond, kSecond};
  TaskFeatures features;

  explicit Room(const std::shared_ptr<const learn::Model>& model) {
    for (std::uint32_t i = 0; i < kSteps; ++i) {
      Subtask subtask;
      if (i > 1) subtask.relies_on.push_back(static_cast<SubtaskId>(i - 2));
      if (i > 0) subtask.relies_on.push_back(static_cast<SubtaskId>(i - 1));
      graph.add(std::move(subtask));
      times.push_back({.time = kSecond});
      tails.push_back((kSteps - i) * kSecond);
    }
    candidates[0] = {.endpoint = EndpointId{0},
                     .tier = Tier::kEdge,
                     .expected_usd = {},
                     .expected_time = 2 * kSecond};
    candidates[1] = {.endpoint = EndpointId{1},
                     .tier = Tier::kCloud,
                     .expected_usd = kCent,
                     .expected_time = kSecond,
                     .max_in_flight = 4};
    features = FeatureReader(model).read("Add 3 and 4 and 5.", 0, "math");
  }

  RouteInput input(Rng& rng) const {
    RouteInput input;
    input.query = QueryId{1};
    input.subtask = static_cast<SubtaskId>(rng.below(kSteps));
    input.features = features;
    input.deadline = 60 * kSecond;
    input.allowance =
        Allowance{.left = kCent, .ahead = kCent * 4, .decisions = 4, .spent = rng.unit()};
    input.around = {.steps = times, .tails = tails, .graph = &graph, .edge_places = 2};
    input.voters = 3;
    input.vote_times = vote_times;
    input.seed = rng.next();
    input.candidates = candidates;
    return input;
  }
};

TEST(Allocations, NoneForAnyDecisionOfAnyPolicyOnceWarm) {
  auto loaded = learn::model_from(learn::shipped_weights());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto model = std::make_shared<const learn::Model>(*std::move(loaded));
  const Room world(model);
  for (const std::string_view name : policy_names()) {
    for (const double second_price : {0.0, 0.02}) {
      PolicyOptions options;
      options.is_tuned = true;
      options.spar = {.second_price = second_price, .explore = 0.1};
      const auto router = make_router(name, options, model);
      ASSERT_TRUE(router);
      Rng rng(1);
      const auto decide = [&] {
        const RouteInput input = world.input(rng);
        Attempt attempt;
        attempt.voters = static_cast<std::uint8_t>(rng.below(4));
        attempt.agreeing = static_cast<std::uint8_t>(rng.below(attempt.voters + 1U));
        const Decision chosen = (*router)->choose(input);
        const Decision reviewed = (*router)->review(input, attempt);
        (*router)->settled(input, reviewed);
        (*router)->learned(input, reviewed,
                           {.tier = chosen.tier, .correct = 1, .attempt = &attempt});
      };
      for (int i = 0; i < 1100; ++i) decide();  // More than a memory holds.
      const std::int64_t before = allocations;
      for (int i = 0; i < 300; ++i) decide();
      EXPECT_EQ(allocations - before, 0) << name << " at " << second_price << " a second";
    }
  }
}

TEST(Allocations, AreCounted) {
  const std::int64_t before = allocations;
  const auto made = std::make_unique<std::string>(100, 'x');
  EXPECT_GE(allocations - before, 2);
}

}  // namespace
}  // namespace hf
