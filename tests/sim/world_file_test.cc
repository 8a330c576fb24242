// Goal: a world file is read as it is written, and every kind of mistake names its line.
// Method: small worlds, good and bad; the shipped ones.
#include "sim/world_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sim/embedded.h"

namespace hf::sim {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

// Lines 1 to 5.
constexpr std::string_view kEdge =
    "[[endpoint]]\nname = \"edge\"\ntier = \"edge\"\nfirst_token = \"10ms\"\ninter_token = "
    "\"1ms\"\n";
// Three lines more.
constexpr std::string_view kArrivals = "[arrivals]\nkind = \"poisson\"\nqueries = 3\n";

std::string error_of(const std::string& toml) {
  const auto world = read_world(toml, "w.toml");
  return world ? "no error" : world.error().message;
}
// Of a world that would be right without these lines, which begin at line 9.
std::string error_with(const std::string& lines) {
  return error_of(std::string(kEdge) + std::string(kArrivals) + lines);
}
// Of an endpoint that would be right without these lines, which begin at line 6.
std::string error_at_endpoint(const std::string& lines) {
  return error_of(std::string(kEdge) + lines + std::string(kArrivals));
}

TEST(WorldFile, IsReadAsWritten) {
  const auto world =
      read_world(std::string(kEdge) +
                     "slots = 3\nright = 0.25\nrequests_per_minute = 7\n"
                     "price = { prompt = 2, cached = 0.5, completion = 8 }\n"
                     "timeouts = { first_token = \"3s\", gap = \"2s\" }\n"
                     "faults = { cut = 0.5 }\ncrash = { every = \"9s\", down = \"1s\" }\n"
                     "[faults]\ncut = 0.1\nserver = 0.2\n"
                     "[[plan]]\nsteps = [\"a\", \"b<a\", \"c<a,b\"]\n"
                     "[planner]\nendpoint = \"edge\"\nuseless = 0.5\n"
                     "[arrivals]\nkind = \"closed\"\nusers = 4\nqueries = 5\nthink = \"2s\"\n"
                     "[route]\npolicy = [\"edge\", \"cloud\"]\n"
                     "[budget]\nusd = 0.5\nprocess = { usd = 2, lease = 0.1 }\n"
                     "[ledger]\nshare = 0.5\nabove = 2\nwrite = \"4ms\"\nagain = 0.25\n"
                     "crash = { every = \"9s\", down = \"1s\" }\n"
                     "[options]\nattempts = 4\nhedge = false\nfallback = false\n"
                     "[clock]\nevery = \"1m\"\nby = \"3m\"\n",
                 "w.toml");
  ASSERT_TRUE(world) << world.error().message;
  Rng rng(1);
  const EndpointModel& edge = world->endpoints.at(0);
  EXPECT_EQ(edge.slots.count(rng), 3);
  EXPECT_EQ(edge.first_token.duration(rng), milliseconds(10));
  EXPECT_EQ(edge.endpoint.price.completion, PicoUsd(8'000'000));
  EXPECT_EQ(edge.right, 0.25);
  EXPECT_EQ(edge.requests_per_minute, 7U);
  EXPECT_EQ(edge.first_token_timeout, std::chrono::seconds(3));
  EXPECT_EQ(edge.faults[static_cast<std::size_t>(Fault::kCut)], 0.5);
  EXPECT_EQ(edge.faults[static_cast<std::size_t>(Fault::kServer)], 0.2);
  EXPECT_TRUE(edge.crash_every.has_value());
  EXPECT_EQ(world->graphs.kind, GraphModel::Kind::kGiven);
  EXPECT_THAT(world->graphs.given.at(0).at(2), testing::ElementsAre(SubtaskId{0}, SubtaskId{1}));
  EXPECT_EQ(world->arrivals.users, 4U);
  EXPECT_EQ(world->arrivals.think.duration(rng), std::chrono::seconds(2));
  EXPECT_THAT(world->policies, testing::ElementsAre("edge", "cloud"));
  EXPECT_EQ(world->budget.usd->count(rng), kPicoPerUsd / 2);
  EXPECT_EQ(world->budget.process_usd->count(rng), 2 * kPicoPerUsd);
  EXPECT_EQ(world->ledger.share, 0.5);
  EXPECT_EQ(world->ledger.above->number(rng), 2);
  EXPECT_EQ(world->ledger.write.duration(rng), milliseconds(4));
  EXPECT_EQ(world->ledger.again, 0.25);
  EXPECT_TRUE(world->ledger.crash_every.has_value());
  EXPECT_EQ(world->options.retry.attempts_max, 4U);
  EXPECT_FALSE(world->options.hedge);
  EXPECT_EQ(world->options.fallback, Fallback::kNone);
  EXPECT_TRUE(world->jump_every.has_value());
}

TEST(WorldFile, TakesRecordedLatenciesArrivalsAndGraphs) {
  const auto world = read_world(
      "[[endpoint]]\nname = \"c\"\ntier = \"cloud\"\nrecorded = \"together_70b\"\n"
      "[graphs]\nkind = \"asynchow\"\n[arrivals]\nkind = \"azure-code\"\nqueries = 2\n",
      "w.toml");
  ASSERT_TRUE(world) << world.error().message;
  EXPECT_EQ(world->endpoints[0].recorded.size(), 150U);
  EXPECT_EQ(world->graphs.recorded.size(), 1598U);
  EXPECT_EQ(world->arrivals.recorded.size(), 8819U);
}

TEST(WorldFile, NamesTheLineOfAMistake) {
  EXPECT_THAT(error_of("[arrivals\n"), StartsWith("w.toml:1:"));
  EXPECT_THAT(error_of(std::string(kArrivals)), HasSubstr("at least one [[endpoint]]"));
  EXPECT_THAT(error_of(std::string(kEdge)), HasSubstr("needs [arrivals]"));
  EXPECT_THAT(error_with("[weather]\n"), StartsWith("w.toml:9:1: unknown key 'weather'"));
  EXPECT_THAT(error_with("[cancel]\nshare = 2\n"),
              StartsWith("w.toml:10:9: 'cancel.share' must be a number from 0 to 1"));
  EXPECT_THAT(error_with("[planner]\nendpoint = \"moon\"\n"),
              StartsWith("w.toml:10:12: there is no endpoint named 'moon'"));
  EXPECT_THAT(error_with("[planner]\nuseless = 0.6\ntruncated = 0.6\n"), HasSubstr("more than 1"));
  EXPECT_THAT(error_with("[route]\npolicy = \"best\"\n"),
              StartsWith("w.toml:10:10: unknown policy 'best'; known: edge"));
  EXPECT_THAT(error_with("[options]\nattempts = 0\n"),
              StartsWith("w.toml:10:12: 'options.attempts' must be a whole number from 1"));
  EXPECT_THAT(error_with("[options]\nhedge = 1\n"), HasSubstr("must be true or false"));
  EXPECT_THAT(error_with("[budget]\ndeadline = 5\n"),
              StartsWith("w.toml:10:12: 'budget.deadline'"));
  EXPECT_THAT(error_with("[clock]\nevery = \"1s\"\n"), HasSubstr("needs 'every' and 'by'"));
  EXPECT_THAT(error_with("[ledger]\nshare = 0.5\n"), HasSubstr("a limit in 'budget.process'"));
  EXPECT_THAT(error_with("[budget]\nprocess = { usd = 1 }\n[ledger]\nwrites = \"1ms\"\n"),
              StartsWith("w.toml:12:10: unknown key 'ledger.writes'"));
}

TEST(WorldFile, NamesTheLineOfAMistakeInAnEndpoint) {
  EXPECT_THAT(error_at_endpoint("price = { prompt = 1, cached = 2, completion = 1 }\n"),
              StartsWith("w.toml:6:32: 'endpoint.price.cached' must be at most"));
  EXPECT_THAT(error_at_endpoint("faults = { sneeze = 0.1 }\n"),
              StartsWith("w.toml:6:21: unknown key 'endpoint.faults.sneeze'"));
  EXPECT_THAT(error_at_endpoint("faults = { cut = 0.6, server = 0.6 }\n"),
              StartsWith("w.toml:6:10: the chances of the faults that end a call"));
  EXPECT_THAT(error_at_endpoint("crash = { every = \"1s\" }\n"), HasSubstr("'every' and 'down'"));
  EXPECT_THAT(error_at_endpoint("recorded = \"together_70b\"\n"), HasSubstr("must be alone"));
  EXPECT_THAT(error_at_endpoint("slots = \"two\"\n"), StartsWith("w.toml:6:9: 'endpoint.slots'"));
  EXPECT_THAT(error_of("[[endpoint]]\ntier = \"edge\"\n"), HasSubstr("needs a 'name'"));
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"moon\"\n"), HasSubstr("'tier'"));
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\n"),
              HasSubstr("needs 'first_token' and 'inter_token', or 'recorded'"));
  EXPECT_THAT(error_of("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\nrecorded = \"nobody_7b\"\n"),
              HasSubstr("must be one of anyscale_13b"));
  EXPECT_THAT(error_of(std::string(kEdge) + std::string(kEdge)),
              HasSubstr("two endpoints are named 'edge'"));
}

TEST(WorldFile, NamesTheLineOfAWrongDistribution) {
  const auto with = [](const std::string& draw) {
    return error_at_endpoint("slots = " + draw + "\n");
  };
  EXPECT_THAT(with("{ uniform = [3, 1] }"), HasSubstr("the smaller one first"));
  EXPECT_THAT(with("{ uniform = [1] }"), HasSubstr("two values"));
  EXPECT_THAT(with("{ uniform = [1, \"2s\"] }"), HasSubstr("an array of numbers"));
  EXPECT_THAT(with("{ uniform = [-1, 2] }"), HasSubstr("two numbers from 0"));
  EXPECT_THAT(with("{ lognormal = [0, 2] }"), HasSubstr("a median above zero"));
  EXPECT_THAT(with("{ normal = [1, 2] }"), HasSubstr("unknown key 'endpoint.slots.normal'"));
  EXPECT_THAT(with("{}"), HasSubstr("one of uniform, exponential and lognormal"));
  EXPECT_THAT(with("{ exponential = 1, uniform = [1, 2] }"), HasSubstr("one of uniform"));
  EXPECT_THAT(with("nan"), HasSubstr("'endpoint.slots' must be a number"));
}

TEST(WorldFile, NamesTheLineOfAWrongPlanOrArrival) {
  EXPECT_THAT(error_with("[[plan]]\nsteps = []\n"), HasSubstr("1 to 64 'steps'"));
  EXPECT_THAT(error_with("[[plan]]\nsteps = [\"a<b\", \"b\"]\n"),
              StartsWith("w.toml:10:9: 'a<b' relies on a step that is not before it"));
  EXPECT_THAT(error_with("[[plan]]\nsteps = [\"a\", \"b<\"]\n"), HasSubstr("not before it"));
  EXPECT_THAT(error_with("[graphs]\nkind = \"given\"\n"), HasSubstr("if, and only if"));
  EXPECT_THAT(error_with("[graphs]\nkind = \"tree\"\n"), StartsWith("w.toml:10:8: 'graphs.kind'"));
  const std::string edge(kEdge);
  EXPECT_THAT(error_of(edge + "[arrivals]\nkind = \"bursts\"\n"),
              StartsWith("w.toml:7:8: 'arrivals.kind' must be \"closed\""));
  EXPECT_THAT(error_of(edge + "[arrivals]\nkind = \"closed\"\nper_second = 2\n"),
              StartsWith("w.toml:8:14: 'arrivals.per_second' has no meaning here"));
}

TEST(WorldFile, TheShippedOnesAreRight) {
  EXPECT_EQ(shipped_worlds().size(), 4U);
  for (const ShippedWorld& shipped : shipped_worlds()) {
    const auto world = read_world(shipped.toml, shipped.name);
    EXPECT_TRUE(world) << world.error().message;
  }
}

}  // namespace
}  // namespace hf::sim
