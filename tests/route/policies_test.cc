// Goal: every policy, whatever it is shown, names a candidate, repeats itself, tells a true
// propensity, and obeys what its kind promises about money.
// Method: random inputs and a small trained model for all policies; hand-made cases for each kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "learn/split.h"
#include "learn/trainer.h"
#include "route/features.h"
#include "route/predictor.h"
#include "route/router.h"

namespace hf {
namespace {

constexpr PicoUsd kUsdCent(kPicoPerUsd / 100);

// Tasks with more numbers are harder for the edge; attempts that agree are more often right.
std::vector<learn::Example> examples() {
  std::vector<learn::Example> all;
  FeatureReader reader(nullptr);
  Rng rng(7);
  for (int i = 0; i < 1500; ++i) {
    const bool is_hard = rng.below(2) == 0;
    learn::Example& example = all.emplace_back();
    example.query = std::to_string(i);
    example.category = is_hard ? "sums" : "names";
    example.text = is_hard ? "Add 12 and 30 and 45 and " + std::to_string(i)
                           : "Who wrote the book number " + std::to_string(i);
    RouteInput input;
    input.is_whole_question = true;
    input.features = reader.read(example.text, 0, example.category);
    const PriorFeatures prior = prior_features(input);
    example.prior.assign(prior.begin(), prior.end());
    const bool is_right = rng.unit() < (is_hard ? 0.25 : 0.8);
    Attempt attempt;
    attempt.voters = 2;
    attempt.agreeing = static_cast<std::uint8_t>(is_right ? 1 + rng.below(2) : rng.below(2));
    attempt.kept_share = (1.0 + attempt.agreeing) / 3;
    const AttemptFeatures full = attempt_features(input, attempt);
    example.attempt.assign(full.begin() + kPriorFeatures, full.end());
    example.edge = example.kept = is_right ? 1 : 0;
    example.cloud = rng.unit() < 0.85 ? 1 : 0;
    example.relative_cost = 0.5 + rng.unit();
  }
  return all;
}

std::shared_ptr<const learn::Model> model() {
  static const auto made = [] {
    auto trained = learn::train(examples(), {.inputs_version = kInputsVersion, .replicates = 10});
    EXPECT_TRUE(trained) << trained.error().message;
    return std::make_shared<const learn::Model>(std::move(trained->model));
  }();
  return made;
}

class World {
 public:
  explicit World(bool is_hard = true, PicoUsd left = kUsdCent, PicoUsd ahead = kUsdCent * 4) {
    FeatureReader reader(model());
    input_.query = QueryId{1};
    input_.is_whole_question = true;
    input_.features = is_hard ? reader.read("Add 12 and 30 and 45 and 7", 0, "sums")
                              : reader.read("Who wrote the book number 7", 0, "names");
    input_.allowance = Allowance{.left = left, .ahead = ahead, .decisions = 4, .spent = 0};
    candidates_[0] = {.endpoint = EndpointId{0},
                      .tier = Tier::kEdge,
                      .expected_usd = {},
                      .expected_time = std::chrono::seconds(1),
                      .max_in_flight = 1};
    candidates_[1] = {.endpoint = EndpointId{1},
                      .tier = Tier::kCloud,
                      .expected_usd = kUsdCent,
                      .expected_time = std::chrono::seconds(1),
                      .max_in_flight = 9};
  }
  RouteInput& input() {
    input_.candidates = candidates_;
    return input_;
  }

 private:
  RouteInput input_;
  std::array<Candidate, 2> candidates_;
};

std::unique_ptr<Router> policy(std::string_view name, const PolicyOptions& options = {}) {
  auto router = make_router(name, options, model());
  EXPECT_TRUE(router) << router.error().message;
  return std::move(*router);
}

constexpr PolicyOptions kTuned{.is_tuned = true};

TEST(Policies, AllAnswerForEveryInput) {
  for (const std::string_view name : policy_names()) {
    for (const bool is_tuned : {false, true}) {
      for (const bool has_model : {false, true}) {
        PolicyOptions options;
        options.is_tuned = is_tuned;
        auto router = make_router(name, options, has_model ? model() : nullptr);
        ASSERT_TRUE(router);
        for (const bool is_hard : {false, true}) {
          World world(is_hard);
          RouteInput& input = world.input();
          const Decision decision = (*router)->choose(input);
          EXPECT_EQ(decision.endpoint,
                    decision.tier == Tier::kEdge ? EndpointId{0} : EndpointId{1});
          EXPECT_FALSE(decision.reason.empty()) << name;
          EXPECT_GT(decision.propensity, 0) << name;
          EXPECT_LE(decision.propensity, 1) << name;
          EXPECT_TRUE(std::isfinite(decision.threshold) && std::isfinite(decision.utility)) << name;
          const Decision again = (*router)->choose(input);
          EXPECT_EQ(again.tier, decision.tier) << name << " must repeat itself";
          EXPECT_EQ(again.reason, decision.reason);

          Attempt attempt;
          const Decision review = (*router)->review(input, attempt);
          EXPECT_EQ(review.action, Action::kRun) << name << " must not look twice";
          (*router)->settled(input, review);
          (*router)->learned(input, review,
                             {.tier = review.tier, .correct = 1, .attempt = &attempt});

          input.candidates = input.candidates.first(1);
          EXPECT_EQ((*router)->choose(input).tier, Tier::kEdge) << name;
          EXPECT_EQ((*router)->review(input, attempt).tier, Tier::kEdge) << name;
        }
      }
    }
  }
}

TEST(Policies, TheHardTaskGoesToTheCloudBeforeTheEasyOne) {
  for (const std::string_view name : {"category", "fixed", "hybridflow", "knn", "linucb", "dual"}) {
    // There is money for three eighths of everything, and half of everything is hard.
    const PicoUsd left = kUsdCent + PicoUsd(kUsdCent.count() / 2);
    World hard(true, left);
    World easy(false, left);
    auto router = policy(name, kTuned);
    EXPECT_EQ(router->choose(hard.input()).tier, Tier::kCloud) << name;
    EXPECT_EQ(router->choose(easy.input()).tier, Tier::kEdge) << name;
  }
}

TEST(Policies, NoMoneyMeansNoCloudForThoseThatPrice) {
  for (const std::string_view name : {"category", "fixed", "hybridflow", "knn", "linucb", "dual"}) {
    World broke(true, PicoUsd(0));
    EXPECT_EQ(policy(name, kTuned)->choose(broke.input()).tier, Tier::kEdge) << name;
  }
}

TEST(Zcl, AsksForMoreAsTheMoneyGoes) {
  World world;
  auto router = policy("zcl");
  double last = -1;
  for (const double spent : {0.0, 0.3, 0.6, 0.9}) {
    world.input().allowance->spent = spent;
    const double threshold = router->choose(world.input()).threshold;
    EXPECT_GT(threshold, last);
    last = threshold;
  }
}

TEST(Dual, ThePriceRisesWithSpendingAndFallsWithThrift) {
  World world;
  auto router = policy("dual");
  const double start = router->choose(world.input()).threshold;
  Decision spends;
  spends.tier = Tier::kCloud;
  for (int i = 0; i < 5; ++i) router->settled(world.input(), spends);
  const double dearer = router->choose(world.input()).threshold;
  EXPECT_GT(dearer, start);
  for (int i = 0; i < 50; ++i) router->settled(world.input(), Decision());
  EXPECT_LT(router->choose(world.input()).threshold, dearer);
}

TEST(Pacer, ThePriceFollowsTheSpendingWithinItsBounds) {
  World world;
  auto router = policy("pacer");
  Decision spends;
  spends.tier = Tier::kCloud;
  for (int i = 0; i < 500; ++i) router->settled(world.input(), spends);
  const Decision dear = router->choose(world.input());
  EXPECT_EQ(dear.tier, Tier::kEdge);
  EXPECT_LE(dear.threshold, 5.0 + 1e-9);
  for (int i = 0; i < 500; ++i) router->settled(world.input(), Decision());
  EXPECT_EQ(router->choose(world.input()).threshold, 0);
}

TEST(Bandits, LearnFromTheResultsTheyCaused) {
  World world(true, kUsdCent * 2);
  auto router = policy("linucb");
  ASSERT_EQ(router->choose(world.input()).tier, Tier::kCloud);
  for (int i = 0; i < 3000; ++i) {
    router->learned(world.input(), Decision(), {.tier = Tier::kCloud, .correct = 0});
  }
  EXPECT_EQ(router->choose(world.input()).tier, Tier::kEdge);
}

TEST(Cascades, TryTheEdgeFirstAndEscalateInDoubt) {
  for (const std::string_view name : {"frugal", "ucci", "dot"}) {
    World world(true, kUsdCent * 2);
    auto router = policy(name);
    EXPECT_EQ(router->choose(world.input()).action, Action::kAttempt) << name;
    Attempt sure;
    sure.voters = 2;
    sure.agreeing = 2;
    EXPECT_EQ(router->review(world.input(), sure).tier, Tier::kEdge) << name;
    Attempt torn = sure;
    torn.agreeing = 0;
    torn.distinct = 3;
    torn.kept_share = 1.0 / 3;
    EXPECT_EQ(router->review(world.input(), torn).tier, Tier::kCloud) << name;
    Attempt none = sure;
    none.has_answer = false;
    EXPECT_EQ(router->review(world.input(), none).tier, Tier::kCloud) << name;
  }
}

TEST(Cascades, UseTheSignalsOfTheEndpointWhereThereAreAny) {
  World world(true, kUsdCent * 2);
  Attempt attempt;
  attempt.signals.margin = 0.01;
  EXPECT_EQ(policy("ucci")->review(world.input(), attempt).tier, Tier::kCloud);
  attempt.signals.low_logprob = std::log(0.95);
  EXPECT_EQ(policy("dot")->review(world.input(), attempt).tier, Tier::kEdge);
  attempt.signals.low_logprob = std::log(0.85);
  EXPECT_EQ(policy("dot")->review(world.input(), attempt).tier, Tier::kCloud);
}

TEST(Release, ACoinDecidesAndForcedStepsGoToTheCloud) {
  World world;
  RouteInput& input = world.input();
  auto router = policy("hybridflow-release");
  int clouds = 0;
  double chance = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    input.seed = seed;
    const Decision decision = router->choose(input);
    clouds += decision.tier == Tier::kCloud ? 1 : 0;
    chance = decision.tier == Tier::kCloud ? decision.propensity : 1 - decision.propensity;
  }
  EXPECT_NEAR(clouds / 2000.0, chance, 0.05);
  input.allowance->spent = 1;
  input.is_whole_question = false;
  input.role = Role::kGenerate;
  EXPECT_EQ(router->choose(input).tier, Tier::kCloud);
}

TEST(Spar, TimeWithoutAPriceMakesAnAttemptBeatTheBareCloud) {
  World world(true, kUsdCent * 2);
  EXPECT_EQ(policy("spar")->choose(world.input()).action, Action::kAttempt);
  PolicyOptions hurried;
  hurried.spar.second_price = 0.5;
  const Decision decision = policy("spar", hurried)->choose(world.input());
  EXPECT_EQ(decision.action, Action::kRun);
}

TEST(Spar, AsksFewerVotersTheDearerTheirTime) {
  World world(true, kUsdCent * 2);
  const std::vector<Duration> times(2, std::chrono::seconds(1));
  world.input().voters = 2;
  world.input().vote_times = times;
  world.input().around.edge_places = 9;
  int last = 2;
  std::vector<int> asked;
  for (const double price : {0.0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.5}) {
    PolicyOptions options;
    options.spar.second_price = price;
    const Decision decision = policy("spar", options)->choose(world.input());
    const int votes = decision.action == Action::kAttempt ? decision.votes : 0;
    EXPECT_LE(votes, last) << price;
    last = votes;
    asked.push_back(votes);
  }
  EXPECT_EQ(asked.front(), 2) << "time is free";
  EXPECT_EQ(asked.back(), 0);
}

TEST(Spar, LooksBeforeEachVoteWhereCallsRunOneAfterTheOther) {
  World world(true, kUsdCent * 2);
  const std::vector<Duration> times(2, std::chrono::milliseconds(10));
  RouteInput& input = world.input();
  input.voters = 2;
  input.vote_times = times;
  PolicyOptions options;
  options.spar.second_price = 0.01;
  auto router = policy("spar", options);
  const Decision first = router->choose(input);
  ASSERT_EQ(first.action, Action::kAttempt);
  EXPECT_EQ(first.votes, 0);
  Attempt alone;
  const Decision second = router->review(input, alone);
  ASSERT_EQ(second.action, Action::kAttempt);
  EXPECT_EQ(second.votes, 1);
  EXPECT_EQ(second.tier, Tier::kEdge);
  Attempt all;
  all.voters = 2;
  EXPECT_EQ(router->review(input, all).action, Action::kRun) << "nobody is left to ask";
  options.spar.second_price = 50;
  EXPECT_EQ(policy("spar", options)->review(input, alone).action, Action::kRun);
}

TEST(Spar, EscalatesWhatTheVotesDoubt) {
  World world(true, kUsdCent * 2);
  auto router = policy("spar");
  Attempt torn;
  torn.voters = 2;
  torn.kept_share = 1.0 / 3;
  EXPECT_EQ(router->review(world.input(), torn).tier, Tier::kCloud);
  Attempt sure = torn;
  sure.agreeing = 2;
  sure.kept_share = 1;
  EXPECT_EQ(router->review(world.input(), sure).tier, Tier::kEdge);
}

TEST(Spar, TheDollarIsDearerWithLessOfIt) {
  auto router = policy("spar");
  double last = 1e300;
  for (const int cents : {0, 1, 2, 3, 4}) {
    World world(true, kUsdCent * cents);
    const double price = router->choose(world.input()).usd_price;
    EXPECT_LE(price, last);
    last = price;
  }
  EXPECT_EQ(last, 0) << "money for everything";
}

TEST(Spar, WithoutALimitMoneyHasNoPrice) {
  World world;
  world.input().allowance.reset();
  EXPECT_EQ(policy("spar")->choose(world.input()).usd_price, 0);
}

TEST(Spar, ChargesOnlyWhatDelaysTheQuery) {
  // Two siblings and a sink; the cloud would take five times as long as the edge.
  Graph graph;
  graph.add({});
  graph.add({});
  graph.add({.relies_on = {SubtaskId{0}, SubtaskId{1}}});
  const auto second = std::chrono::seconds(1);
  const std::vector<StepTime> steps = {{.time = second}, {.time = 9 * second}, {.time = second}};
  const std::vector<Duration> tails = {2 * second, 10 * second, second};
  World world(true, kUsdCent * 4);
  RouteInput& input = world.input();
  input.is_whole_question = false;
  input.around = {.steps = steps, .tails = tails, .graph = &graph, .edge_places = 2};
  std::vector<Candidate> candidates(input.candidates.begin(), input.candidates.end());
  candidates[1].expected_time = 5 * second;
  input.candidates = candidates;
  PolicyOptions options;
  options.spar = {.second_price = 0.2, .attempts = false};
  EXPECT_EQ(policy("spar", options)->choose(input).tier, Tier::kCloud) << "it has slack";
  options.spar.slack = false;
  EXPECT_EQ(policy("spar", options)->choose(input).tier, Tier::kEdge);
}

TEST(Spar, TellsThePropensityOfWhatItDraws) {
  PolicyOptions options;
  options.spar.explore = 0.4;
  auto router = policy("spar", options);
  World world(true, kUsdCent * 2);
  std::array<int, 3> seen{};
  std::array<double, 3> told{};
  constexpr int kDraws = 4000;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    world.input().seed = seed;
    const Decision decision = router->choose(world.input());
    const std::size_t kind = decision.action == Action::kAttempt ? 2
                             : decision.tier == Tier::kCloud     ? 1
                                                                 : 0;
    ++seen[kind];
    told[kind] = decision.propensity;
  }
  for (std::size_t kind = 0; kind < 3; ++kind) {
    EXPECT_NEAR(seen[kind] / static_cast<double>(kDraws), told[kind], 0.03) << kind;
  }
}

TEST(Policies, ThatCompareAGainListBothTiersWithTheirCosts) {
  World world(true, kUsdCent * 2);
  for (const std::string_view name : {"fixed", "hybridflow", "dual", "zcl"}) {
    const Decision decision = policy(name)->choose(world.input());
    ASSERT_EQ(decision.alternatives.size(), 2U) << name;
    EXPECT_EQ(decision.alternatives[0].usd, PicoUsd(0)) << name;
    EXPECT_EQ(decision.alternatives[1].usd, kUsdCent) << name;
    EXPECT_NEAR(decision.alternatives[1].chance - decision.alternatives[0].chance, decision.utility,
                1e-9)
        << name;
  }
}

TEST(Spar, ListsWhatTheAlternativesWouldHaveMeant) {
  World world(true, kUsdCent * 2);
  const Decision decision = policy("spar")->choose(world.input());
  ASSERT_EQ(decision.alternatives.size(), 3U);
  EXPECT_EQ(decision.alternatives[1].usd, kUsdCent);
  EXPECT_GT(decision.alternatives[1].chance, decision.alternatives[0].chance);
}

TEST(Predictor, FollowsWhatIsFoundToBeRightOrWrong) {
  World world(true);
  Predictor predictor(model(), {.is_calibrated = true, .learns = true});
  const double before = predictor.before(world.input()).cloud;
  for (int i = 0; i < 200; ++i) {
    predictor.learn(world.input(), {.tier = Tier::kCloud, .correct = 0});
  }
  EXPECT_LT(predictor.before(world.input()).cloud, before - 0.3);
}

TEST(Predictor, DoesNotLearnUnlessAsked) {
  World world(true);
  Predictor predictor(model());
  const double before = predictor.before(world.input()).cloud;
  predictor.learn(world.input(), {.tier = Tier::kCloud, .correct = 0});
  EXPECT_EQ(predictor.before(world.input()).cloud, before);
}

TEST(Predictor, AnUnjudgedResultTeachesNothing) {
  World world(true);
  Predictor predictor(model(), {.is_calibrated = true, .learns = true});
  const double before = predictor.before(world.input()).edge;
  predictor.learn(world.input(), {.tier = Tier::kEdge});
  EXPECT_EQ(predictor.before(world.input()).edge, before);
}

TEST(Features, TrainingAndServingSeeTheSameVector) {
  // What the trained model kept of its first calibration row is what serving makes of that text.
  const auto rows = examples();
  FeatureReader reader(model());
  std::size_t at = 0;
  while (learn::split_of(rows[at].query) != learn::Split::kCalibration) ++at;
  RouteInput input;
  input.is_whole_question = true;
  input.features = reader.read(rows[at].text, 0, rows[at].category);
  const PriorFeatures served = prior_features(input);
  const learn::PastRow& trained = model()->past.front();
  for (std::size_t i = 0; i < kPriorFeatures; ++i) EXPECT_EQ(served[i], trained.inputs[i]) << i;
}

}  // namespace
}  // namespace hf
