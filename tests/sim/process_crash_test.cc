// Goal: a process that dies and comes back overspends nothing, loses nothing beyond its leases, and
// leaves no query without an end. Method: chaos with a durable budget in every run and deaths every
// second or so; single deaths on a page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sim/embedded.h"
#include "sim/flow.h"
#include "sim/sweep.h"

namespace hf::sim {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

WorldFile deadly_chaos() {
  for (const ShippedWorld& world : shipped_worlds()) {
    if (world.name != "chaos") continue;
    WorldFile file = *read_world(world.toml, "chaos");
    file.ledger.share = 1;
    file.ledger.crash_every = Draw::exponential(1.5e9);
    file.ledger.again = 0.8;
    return file;
  }
  ADD_FAILURE() << "there is no chaos";
  return {};
}

TEST(ProcessCrash, NoRuleIsBrokenHoweverOftenTheProcessDies) {
  Summary summary;
  sweep(deadly_chaos(), {.from = 1, .to = 150, .policy = {}, .jobs = 2},
        [&](const SeedResult& result) {
          EXPECT_TRUE(result.violations.empty())
              << "seed " << result.seed << ": " << result.violations.front();
          summary.add(result);
        });
  constexpr auto kDeath = static_cast<std::size_t>(Fault::kProcessCrash);
  EXPECT_GT(summary.faults[kDeath], 150U);
  EXPECT_GT(summary.lost, 150U);
  EXPECT_GT(summary.queries, 150U * 6) << "nobody asked again";
  EXPECT_GT(summary.outcomes[static_cast<std::size_t>(Outcome::kAnswered)], 50U);
  EXPECT_GT(summary.sums.usd, PicoUsd(0));
}

TEST(ProcessCrash, TheSameSeedGivesTheSameHash) {
  const WorldFile file = deadly_chaos();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SeedResult result = run_seed(file, seed, {});
    EXPECT_EQ(run_seed(file, seed, {}, Trace::kText).hash, result.hash);
  }
}

// One question to the cloud, which takes 120 ms; the process dies, and somebody reconciles.
World world_of(const std::string& death, const std::string& more = "") {
  const auto flow = parse_flow(
      "endpoint cloud tier=cloud slots=4 first=100ms token=1ms price=2/0.5/8\n"
      "ledger usd=1 tokens=100000 write=5ms\n" +
      death + "\nquery 1 at=0ms question=100 mode=whole\n" + more + "---\n");
  EXPECT_TRUE(flow) << flow.error().message;
  return World(flow->world);
}

TEST(ProcessCrash, AQueryThatWasOpenIsLostAndItsCallIsPaid) {
  World world =
      world_of("death after=50ms down=100ms reconcile=50ms", "query 2 at=60ms mode=whole\n");
  const std::string trace = world.run();
  EXPECT_TRUE(world.violations().empty());
  EXPECT_TRUE(world.is_lost(QueryId{1}));
  EXPECT_FALSE(world.record(QueryId{1}).outcome.has_value());
  EXPECT_FALSE(world.is_lost(QueryId{2}));
  EXPECT_EQ(world.record(QueryId{2}).outcome, Outcome::kAnswered);
  EXPECT_THAT(trace, HasSubstr("50 the process dies\n50 lost 1\n150 the process is back\n"));
  EXPECT_THAT(trace, HasSubstr("150 query 2\n"));  // It came while nobody was there.
  EXPECT_THAT(trace, HasSubstr("200 reconcile\n"));
  EXPECT_EQ(world.faults()[static_cast<std::size_t>(Fault::kProcessCrash)], 1U);
}

TEST(ProcessCrash, NoCallIsSentBeforeItsLeaseIsOnTheDisk) {
  // The lease takes 5 ms; then the call is within the window of it.
  World sound = world_of("death after=1s");
  EXPECT_THAT(sound.run(), HasSubstr("start 1/whole cloud"));
  World early = world_of("death after=3ms");
  EXPECT_THAT(early.run(), Not(HasSubstr("start 1/whole cloud")));
  EXPECT_TRUE(early.violations().empty());
  EXPECT_TRUE(early.is_lost(QueryId{1}));
}

TEST(ProcessCrash, MayComeInTheMidstOfAStep) {
  // The first command asks for money; the second, the call, is never carried out.
  World world = world_of("death after=0ms commands=1 down=10ms reconcile=10ms");
  const std::string trace = world.run();
  EXPECT_TRUE(world.violations().empty());
  EXPECT_THAT(trace, HasSubstr("want "));
  EXPECT_THAT(trace, Not(HasSubstr("start ")));
}

TEST(ProcessCrash, ALaterQueryIsRefusedWhileADeadLeaseHoldsTheRest) {
  const auto flow = parse_flow(
      "endpoint cloud tier=cloud slots=4 first=100ms token=1ms price=2/0.5/8\n"
      "ledger usd=0.015 write=1ms\ndeath after=50ms down=10ms reconcile=1s\n"
      "query 1 at=0ms mode=whole\nquery 2 at=100ms mode=whole\n---\n");
  ASSERT_TRUE(flow) << flow.error().message;
  World world(flow->world);
  static_cast<void>(world.run());
  // It says so at once: nobody would tell it when the dead lease is reconciled.
  EXPECT_EQ(world.record(QueryId{2}).outcome, Outcome::kRefused);
  EXPECT_EQ(world.record(QueryId{2}).wall, milliseconds(1));
  EXPECT_TRUE(world.violations().empty());
}

TEST(ProcessCrash, IsWrittenAsAPageOnlyWithALedger) {
  const auto flow = parse_flow("endpoint e\ndeath after=1ms\n");
  ASSERT_FALSE(flow);
  EXPECT_THAT(flow.error().message, HasSubstr("Line 2: there is no ledger above"));
}

}  // namespace
}  // namespace hf::sim
