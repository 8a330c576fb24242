// Goal: no order of events, failures, budgets and cancellations breaks a rule of checker.h.
// Method: run many random worlds; HF_SEEDS=FROM:TO runs others than the usual ones.
#include "sim/random_world.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

namespace hf::sim {
namespace {

struct Seeds {
  std::uint64_t from = 1;
  std::uint64_t to = 300;
};

Seeds seeds() {
  Seeds range;
  if (const char* text = std::getenv("HF_SEEDS")) {
    char* rest = nullptr;
    range.from = std::strtoull(text, &rest, 10);
    range.to = *rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : range.from;
  }
  return range;
}

TEST(RandomWorld, NeverBreaksARule) {
  for (std::uint64_t seed = seeds().from; seed <= seeds().to; ++seed) {
    World world(random_world(seed));
    const std::string trace = world.run();
    ASSERT_TRUE(world.violations().empty())
        << "seed " << seed << ": " << world.violations().front() << "\n"
        << trace;
  }
}

TEST(RandomWorld, GivesTheSameTraceForTheSameSeedAndAnotherForAnother) {
  std::set<std::string> traces;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::string trace = World(random_world(seed)).run();
    EXPECT_EQ(trace, World(random_world(seed)).run()) << "seed " << seed;
    traces.insert(trace);
  }
  EXPECT_EQ(traces.size(), 30U);
}

TEST(RandomWorld, MeetsEveryOutcome) {
  std::set<Outcome> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const WorldSpec spec = random_world(seed);
    World world(spec);
    world.run();
    for (const QueryScript& query : spec.queries) seen.insert(*world.record(query.id).outcome);
  }
  EXPECT_EQ(seen.size(), 6U);
}

}  // namespace
}  // namespace hf::sim
