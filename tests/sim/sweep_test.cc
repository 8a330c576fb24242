// Goal: a world and a seed say everything, and under every fault there is no rule is broken.
// Method: the shipped worlds under many seeds, again, backwards, and with more threads. HF_SEEDS=N
// runs so many of chaos.
#include "sim/sweep.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include "sim/embedded.h"
#include "sim/workload.h"

namespace hf::sim {
namespace {

WorldFile shipped(std::string_view name) {
  for (const ShippedWorld& world : shipped_worlds()) {
    if (world.name == name) return *read_world(world.toml, name);
  }
  ADD_FAILURE() << "no world " << name;
  return {};
}

std::uint64_t seeds_to_try() {
  const char* text = std::getenv("HF_SEEDS");
  return text == nullptr ? 2000 : std::strtoull(text, nullptr, 10);
}

TEST(Sweep, NoRuleIsBrokenInChaosAndEverythingHappensThere) {
  Summary summary;
  sweep(shipped("chaos"), {.from = 1, .to = seeds_to_try(), .policy = {}, .jobs = 2},
        [&](const SeedResult& result) {
          EXPECT_TRUE(result.violations.empty())
              << "seed " << result.seed << ": " << result.violations.front();
          summary.add(result);
        });
  EXPECT_EQ(summary.seeds, seeds_to_try());
  EXPECT_EQ(summary.violations, 0U);
  for (std::size_t i = 0; i < kFaults; ++i) {
    EXPECT_GT(summary.faults[i], summary.seeds / 50) << name_of(static_cast<Fault>(i));
  }
  for (const std::uint64_t count : summary.outcomes) EXPECT_GT(count, summary.seeds / 50);
  EXPECT_GT(summary.sums.hedges, 0U);
  EXPECT_GT(summary.sums.usd, PicoUsd(0));
}

TEST(Sweep, TheSameSeedGivesTheSameHashAgainBackwardsAndOnMoreThreads) {
  for (const ShippedWorld& world : shipped_worlds()) {
    const WorldFile file = shipped(world.name);
    const std::uint64_t to = world.name == "hosted" ? 4 : 40;
    std::map<std::uint64_t, std::uint64_t> hashes;
    sweep(file, {.from = 1, .to = to, .policy = {}, .jobs = 3}, [&](const SeedResult& result) {
      EXPECT_EQ(result.seed, hashes.size() + 1) << "the order of the seeds";
      EXPECT_TRUE(result.violations.empty()) << world.name << ": " << result.violations.front();
      hashes[result.seed] = result.hash;
    });
    for (std::uint64_t seed = to; seed > 0; --seed) {
      EXPECT_EQ(run_seed(file, seed, {}).hash, hashes[seed]) << world.name << " " << seed;
      EXPECT_EQ(run_seed(file, seed, {}, Trace::kText).hash, hashes[seed]);
    }
    EXPECT_NE(hashes[1], hashes[2]);
  }
}

TEST(Sweep, HandsOutEverySeedOnceAcrossItsBatches) {
  std::uint64_t next = 5;
  const WorldFile quiet = shipped("quiet");
  sweep(quiet, {.from = 5, .to = 2500, .policy = "edge", .jobs = 2},
        [&](const SeedResult& result) { EXPECT_EQ(result.seed, next++); });
  EXPECT_EQ(next, 2501U);
}

TEST(Sweep, APolicyChangesWhoDoesItAndNotTheLuck) {
  const WorldFile quiet = shipped("quiet");
  const SeedResult edge = run_seed(quiet, 1, "edge");
  const SeedResult cloud = run_seed(quiet, 1, "cloud");
  ASSERT_EQ(edge.queries.size(), 8U);
  ASSERT_EQ(cloud.queries.size(), 8U);
  std::uint64_t edge_right = 0;
  std::uint64_t cloud_right = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    for (const QueryResult& query : run_seed(quiet, seed, "edge").queries) {
      EXPECT_EQ(query.cloud_calls, query.hedges);
      edge_right += query.is_right;
    }
    for (const QueryResult& query : run_seed(quiet, seed, "cloud").queries) {
      cloud_right += query.is_right;
    }
  }
  EXPECT_GT(cloud_right, edge_right * 6 / 5);
  const WorldSpec one = make_world(quiet, 3, "edge");
  const WorldSpec other = make_world(quiet, 3, "cloud");
  for (std::size_t i = 0; i < one.queries.size(); ++i) {
    EXPECT_EQ(one.queries[i].at, other.queries[i].at);
    EXPECT_EQ(one.queries[i].seed, other.queries[i].seed);
  }
}

TEST(Sweep, AClosedLoopAsksTheNextQuestionAfterTheAnswer) {
  const WorldFile lab = shipped("lab");
  World world(make_world(lab, 1, {}));
  const std::string trace = world.run();
  // Two users with three questions each: the second question of the first user is query 2.
  EXPECT_LT(trace.find("finish 1 "), trace.find(" query 2\n"));
  EXPECT_LT(trace.find("finish 4 "), trace.find(" query 5\n"));
  EXPECT_TRUE(world.has_arrived(QueryId{6}));
}

TEST(Sweep, ALimitOfRequestsIsObeyedAndToldWithATime) {
  const auto file = read_world(
      "[[endpoint]]\nname = \"e\"\ntier = \"edge\"\nslots = 4\nfirst_token = \"1ms\"\n"
      "inter_token = \"0ms\"\nrequests_per_minute = 2\n"
      "[planner]\nwhole = 1\n[arrivals]\nkind = \"poisson\"\nper_second = 1000\nqueries = 3\n",
      "w.toml");
  ASSERT_TRUE(file) << file.error().message;
  const SeedResult result = run_seed(*file, 1, {}, Trace::kText);
  EXPECT_NE(result.trace.find("failed 3/whole e: rate-limited"), std::string::npos);
  EXPECT_GT(result.makespan, std::chrono::seconds(59));
  EXPECT_LT(result.makespan, std::chrono::seconds(62));
  EXPECT_TRUE(result.violations.empty());
}

TEST(Sweep, AWorldThatDoesNotEndIsAViolation) {
  const WorldFile quiet = shipped("quiet");
  WorldSpec spec = make_world(quiet, 1, {});
  spec.events_max = 10;
  World world(std::move(spec), Trace::kNone);
  EXPECT_EQ(world.run(), "");
  ASSERT_FALSE(world.violations().empty());
  EXPECT_NE(world.violations().front().find("does not come to an end"), std::string::npos);
}

TEST(Sweep, ABrokenRuleComesOutWithItsSeed) {
  // Under some seeds the one call takes so long, while there is so much unrest, that the run is
  // given up.
  const auto file = read_world(R"([[endpoint]]
name = "edge"
tier = "edge"
first_token = { uniform = ["1h", "24h"] }
inter_token = "0ms"
timeouts = { connect = "1s", first_token = "24h", gap = "24h", total = "24h" }
[[endpoint]]
name = "cloud"
tier = "cloud"
first_token = "1s"
inter_token = "0ms"
crash = { every = "1s", down = "1s" }
[planner]
whole = 1.0
[clock]
every = "1s"
by = "1ms"
[arrivals]
kind = "poisson"
queries = 1
[route]
policy = "edge"
)",
                               "w.toml");
  ASSERT_TRUE(file) << file.error().message;
  Summary summary;
  std::uint64_t violations = 0;
  std::uint64_t broken_seeds = 0;
  sweep(*file, {.from = 1, .to = 8, .policy = {}}, [&](const SeedResult& result) {
    EXPECT_EQ(result.violations, run_seed(*file, result.seed, {}).violations);
    violations += result.violations.size();
    broken_seeds += !result.violations.empty();
    summary.add(result);
  });
  EXPECT_GT(broken_seeds, 0U);
  EXPECT_LT(broken_seeds, 8U);
  EXPECT_EQ(summary.violations, violations);
}

}  // namespace
}  // namespace hf::sim
