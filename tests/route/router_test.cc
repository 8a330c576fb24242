// Goal: each policy chooses as documented, always one of the candidates, and the same when asked
// again.
// Method: small inputs by hand; then every policy on random inputs.
#include "route/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "route/predictor.h"

namespace hf {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::unique_ptr<Router> router_of(std::string_view name, const PolicyOptions& options = {}) {
  auto router = make_router(name, options);
  EXPECT_TRUE(router) << router.error().message;
  return std::move(*router);
}

Candidate candidate(std::uint32_t id, Tier tier) {
  Candidate result;
  result.endpoint = static_cast<EndpointId>(id);
  result.tier = tier;
  result.max_in_flight = 4;
  return result;
}

const std::vector<Candidate> kBoth = {candidate(0, Tier::kEdge), candidate(1, Tier::kCloud)};
const std::vector<Candidate> kEdgeOnly = {candidate(0, Tier::kEdge)};
const std::vector<Candidate> kCloudOnly = {candidate(1, Tier::kCloud)};

RouteInput input(const std::vector<Candidate>& candidates, std::uint8_t difficulty = 0) {
  RouteInput result;
  result.query = QueryId{1};
  result.features.difficulty = difficulty;
  result.expected = Tokens(100);
  result.candidates = candidates;
  return result;
}

TEST(MakeRouter, KnowsEveryNameItListsAndNoOther) {
  EXPECT_EQ(policy_names().size(), 17U);
  for (const std::string_view name : policy_names()) EXPECT_TRUE(make_router(name, {}));
  const auto unknown = make_router("best", {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kInvalidInput);
  EXPECT_THAT(unknown.error().message,
              HasSubstr("edge, cloud, random, fixed, difficulty, hybridflow, hybridflow-release,"));
}

TEST(MakeRouter, RejectsOptionsOutOfRange) {
  EXPECT_FALSE(make_router("random", {.cloud_share = 1.5}));
  EXPECT_FALSE(make_router("random", {.cloud_share = -0.1}));
  EXPECT_FALSE(make_router("fixed", {.threshold = 2}));
  EXPECT_FALSE(make_router("fixed", {.threshold = std::numeric_limits<double>::quiet_NaN()}));
  EXPECT_FALSE(make_router("difficulty", {.difficulty = 0}));
  EXPECT_FALSE(make_router("difficulty", {.difficulty = 10}));
}

TEST(EdgeAndCloud, PreferTheirTierAndTakeTheOtherIfTheyMust) {
  EXPECT_EQ(router_of("edge")->choose(input(kBoth)).tier, Tier::kEdge);
  EXPECT_EQ(router_of("cloud")->choose(input(kBoth)).tier, Tier::kCloud);
  const Decision forced = router_of("edge")->choose(input(kCloudOnly));
  EXPECT_EQ(forced.tier, Tier::kCloud);
  EXPECT_EQ(forced.endpoint, EndpointId{1});
  EXPECT_THAT(forced.reason, HasSubstr("no edge endpoint"));
  EXPECT_EQ(router_of("cloud")->choose(input(kEdgeOnly)).tier, Tier::kEdge);
}

TEST(WithinATier, AFreeEndpointBeatsABusyOneThenTheFasterThenTheLessLoadedThenTheFirst) {
  std::vector<Candidate> edges = {candidate(0, Tier::kEdge), candidate(1, Tier::kEdge)};
  const auto chosen = [&] { return router_of("edge")->choose(input(edges)).endpoint; };
  EXPECT_EQ(chosen(), EndpointId{0});
  edges[0].in_flight = 1;
  EXPECT_EQ(chosen(), EndpointId{1});
  edges[0].expected_time = milliseconds(10);
  edges[1].expected_time = milliseconds(20);
  EXPECT_EQ(chosen(), EndpointId{0});
  edges[0].in_flight = 4;
  EXPECT_EQ(chosen(), EndpointId{1});
  edges[1].in_flight = 4;
  EXPECT_EQ(chosen(), EndpointId{0});
}

TEST(Random, SendsTheGivenShareToTheCloudAndTellsItsPropensity) {
  const auto router = router_of("random", {.cloud_share = 0.3});
  int to_cloud = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    RouteInput each = input(kBoth);
    each.subtask = static_cast<SubtaskId>(i % 7);
    each.query = static_cast<QueryId>(i / 7);
    const Decision decision = router->choose(each);
    to_cloud += decision.tier == Tier::kCloud ? 1 : 0;
    EXPECT_DOUBLE_EQ(decision.propensity, decision.tier == Tier::kCloud ? 0.3 : 0.7);
  }
  EXPECT_NEAR(to_cloud, 3000, 200);
  EXPECT_EQ(router->choose(input(kEdgeOnly)).propensity, 1);
}

TEST(Random, NeverAndAlwaysAreExact) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RouteInput each = input(kBoth);
    each.seed = seed;
    EXPECT_EQ(router_of("random", {.cloud_share = 0})->choose(each).tier, Tier::kEdge);
    EXPECT_EQ(router_of("random", {.cloud_share = 1})->choose(each).tier, Tier::kCloud);
  }
}

TEST(Fixed, ComparesThePredictedGainWithItsThreshold) {
  const double gain = Predictor(nullptr).before(input(kBoth, 5)).gain();
  EXPECT_EQ(router_of("fixed", {.threshold = gain - 0.01})->choose(input(kBoth, 5)).tier,
            Tier::kCloud);
  const Decision stays = router_of("fixed", {.threshold = gain})->choose(input(kBoth, 5));
  EXPECT_EQ(stays.tier, Tier::kEdge);
  EXPECT_DOUBLE_EQ(stays.utility, gain);
  EXPECT_DOUBLE_EQ(stays.threshold, gain);
}

TEST(Difficulty, FollowsThePlannersRating) {
  const auto router = router_of("difficulty");
  EXPECT_EQ(router->choose(input(kBoth, 4)).tier, Tier::kEdge);
  EXPECT_EQ(router->choose(input(kBoth, 5)).tier, Tier::kCloud);
  EXPECT_THAT(router->choose(input(kBoth, 9)).reason, HasSubstr("difficulty 9.0 >= 5"));
}

TEST(Difficulty, EstimatesFromTheTextWithoutARating) {
  RouteInput each = input(kBoth);
  EXPECT_EQ(router_of("difficulty")->choose(each).tier, Tier::kEdge);
  each.features = {.words = 200, .numbers = 20, .operators = 20, .choices = 4, .code = 9};
  const Decision hard = router_of("difficulty")->choose(each);
  EXPECT_EQ(hard.tier, Tier::kCloud);
  EXPECT_THAT(hard.reason, HasSubstr("estimated"));
}

RouteInput with_budget(double spent_share, double progress) {
  RouteInput each = input(kBoth, 6);
  static std::vector<Candidate> candidates;
  candidates = kBoth;
  candidates[1].expected_usd = PicoUsd(100'000);
  each.candidates = candidates;
  each.budget.usd_limit = PicoUsd(1'000'000);
  each.budget.spent.usd = PicoUsd(static_cast<std::int64_t>(spent_share * 1e6));
  each.progress = progress;
  return each;
}

TEST(Hybridflow, RaisesItsThresholdWhenSpendingRunsAheadOfProgress) {
  const auto router = router_of("hybridflow", {.threshold = 0.15});
  const Decision even = router->choose(with_budget(0.2, 0.2));
  const Decision ahead = router->choose(with_budget(0.9, 0.1));
  const Decision behind = router->choose(with_budget(0.0, 0.9));
  EXPECT_DOUBLE_EQ(even.threshold, 0.15 + 0.05);
  EXPECT_NEAR(ahead.threshold, 0.15 + (1 + 4 * 0.8) * 0.05, 1e-9);
  EXPECT_DOUBLE_EQ(behind.threshold, 0.15);  // The price of cost does not fall below nothing.
  EXPECT_DOUBLE_EQ(even.cost, 0.05);
  EXPECT_EQ(even.tier, Tier::kCloud);
  EXPECT_EQ(ahead.tier, Tier::kEdge);
}

TEST(Hybridflow, CountsWhatIsHeldAsSpent) {
  RouteInput each = with_budget(0.2, 0.2);
  each.budget.held.usd = PicoUsd(700'000);
  EXPECT_EQ(router_of("hybridflow")->choose(each).tier, Tier::kEdge);
}

TEST(Hybridflow, ChargesSecondsOnlyOnTheCriticalPath) {
  std::vector<Candidate> candidates = kBoth;
  candidates[0].expected_time = milliseconds(1000);
  candidates[1].expected_time = milliseconds(3000);
  RouteInput each = input(candidates, 6);
  each.deadline = milliseconds(10'000);
  EXPECT_NEAR(router_of("hybridflow")->choose(each).cost, 0.1, 1e-9);
  each.slack = Tokens(100);  // As long as the task itself takes at the edge.
  EXPECT_NEAR(router_of("hybridflow")->choose(each).cost, 0.05, 1e-9);
  each.slack = Tokens(1000);
  EXPECT_EQ(router_of("hybridflow")->choose(each).cost, 0);
}

TEST(Predictor, ExpectsTheCloudToBeBetterAndMoreSoWhereItIsHard) {
  double last = -1;
  for (std::uint8_t rating = 1; rating <= 9; ++rating) {
    RouteInput task = input(kBoth, rating);
    for (const bool is_whole : {true, false}) {
      task.is_whole_question = is_whole;
      const Chances each = Predictor(nullptr).before(task);
      EXPECT_GT(each.edge, 0);
      EXPECT_LT(each.cloud, 1);
      EXPECT_GT(each.gain(), 0);
    }
    const double gain = Predictor(nullptr).before(task).gain();
    EXPECT_GT(gain, last);
    last = gain;
  }
}

RC_GTEST_PROP(EveryPolicy, NamesACandidateAndDoesNotChangeItsMind, ()) {
  std::vector<Candidate> candidates;
  const auto count = *rc::gen::inRange<std::uint32_t>(1, 5);
  for (std::uint32_t i = 0; i < count; ++i) {
    Candidate each = candidate(i, *rc::gen::inRange(0, 2) == 0 ? Tier::kEdge : Tier::kCloud);
    each.in_flight = *rc::gen::inRange<std::uint32_t>(0, 6);
    each.expected_time = milliseconds(*rc::gen::inRange(0, 5000));
    each.expected_usd = PicoUsd(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
    candidates.push_back(each);
  }
  RouteInput each = input(candidates, *rc::gen::inRange<std::uint8_t>(0, 10));
  each.seed = *rc::gen::arbitrary<std::uint64_t>();
  each.slack = Tokens(*rc::gen::inRange(0, 1000));
  each.expected = Tokens(*rc::gen::inRange(0, 1000));
  each.progress = *rc::gen::inRange(0, 100) / 100.0;
  if (*rc::gen::inRange(0, 2) == 0) {
    each.budget.usd_limit = PicoUsd(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
  }
  if (*rc::gen::inRange(0, 2) == 0)
    each.budget.cloud_tokens_limit = Tokens(*rc::gen::inRange(0, 9));
  if (*rc::gen::inRange(0, 2) == 0) each.deadline = milliseconds(*rc::gen::inRange(0, 9000));
  for (const std::string_view name : policy_names()) {
    const auto router = router_of(name);
    const Decision decision = router->choose(each);
    const auto found = std::ranges::find(candidates, decision.endpoint, &Candidate::endpoint);
    RC_ASSERT(found != candidates.end());
    RC_ASSERT(found->tier == decision.tier);
    RC_ASSERT(!decision.reason.empty());
    RC_ASSERT(decision.propensity >= 0 && decision.propensity <= 1);
    const Decision again = router->choose(each);
    RC_ASSERT(again.endpoint == decision.endpoint && again.reason == decision.reason);
  }
}

}  // namespace
}  // namespace hf
