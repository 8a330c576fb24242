// Goal: of all assignments of a graph just those remain that nothing beats, and joined over queries
// under a price of time they give the optimum.
// Method: comparison of every pair, and brute force over all assignments of all queries.
#include "eval/graph_oracle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace hf::eval {
namespace {

using std::chrono::seconds;

constexpr Duration kEdgeTime = seconds(5);
constexpr Duration kCloudTime = seconds(2);

// Every node relies on some before it; edge nodes wait for the one edge slot, in order.
struct Query {
  std::vector<OracleNode> nodes;
  std::vector<std::uint32_t> inputs;  // Bit j: relies on node j.

  [[nodiscard]] Duration makespan(std::uint32_t clouds) const {
    std::vector<Duration> ends;
    Duration slot{};
    Duration end{};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      Duration start{};
      for (std::size_t j = 0; j < i; ++j) {
        if ((inputs[i] >> j & 1U) != 0) start = std::max(start, ends[j]);
      }
      if ((clouds >> i & 1U) != 0) {
        ends.push_back(start + kCloudTime);
      } else {
        slot = std::max(slot, start) + kEdgeTime;
        ends.push_back(slot);
      }
      end = std::max(end, ends.back());
    }
    return end;
  }

  [[nodiscard]] std::vector<Assignment> pareto() const {
    return pareto_assignments(nodes, [&](std::uint32_t clouds) { return makespan(clouds); });
  }
};

Query random_query(Rng& rng, std::size_t nodes) {
  Query query;
  for (std::size_t i = 0; i < nodes; ++i) {
    OracleNode node;
    if (rng.below(10) > 0) node.edge = OracleOption{static_cast<std::int64_t>(rng.below(3)), 0};
    if (rng.below(10) > 0) {
      node.cloud = OracleOption{static_cast<std::int64_t>(rng.below(4)),
                                static_cast<std::int64_t>(rng.below(5) + 1)};
    }
    if (!node.edge && !node.cloud) node.edge = OracleOption{1, 0};
    query.nodes.push_back(node);
    query.inputs.push_back(static_cast<std::uint32_t>(rng.below(1U << i)));
  }
  return query;
}

std::vector<Assignment> all_of(const Query& query) {
  std::vector<Assignment> all;
  for (std::uint32_t clouds = 0; clouds < 1U << query.nodes.size(); ++clouds) {
    Assignment assignment{.clouds = clouds, .makespan = query.makespan(clouds)};
    bool is_possible = true;
    for (std::size_t i = 0; i < query.nodes.size(); ++i) {
      const auto& option = (clouds >> i & 1U) != 0 ? query.nodes[i].cloud : query.nodes[i].edge;
      is_possible = is_possible && option.has_value();
      assignment.value += option.value_or(OracleOption{}).value;
      assignment.cost += option.value_or(OracleOption{}).cost;
    }
    if (is_possible) all.push_back(assignment);
  }
  return all;
}

bool is_no_worse(const Assignment& a, const Assignment& b) {
  return a.cost <= b.cost && a.makespan <= b.makespan && a.value >= b.value;
}

RC_GTEST_PROP(ParetoAssignments, AreThoseThatNothingBeats, (std::uint64_t seed)) {
  Rng rng(seed);
  const Query query = random_query(rng, rng.below(6) + 1);
  const auto kept = query.pareto();
  for (const Assignment& a : kept) {
    for (const Assignment& b : kept) RC_ASSERT(a == b || !is_no_worse(a, b));
  }
  const auto all = all_of(query);
  for (const Assignment& a : all) {
    RC_ASSERT(std::ranges::any_of(kept, [&](const Assignment& b) { return is_no_worse(b, a); }));
  }
  for (const Assignment& a : kept) RC_ASSERT(std::ranges::find(all, a) != all.end());
}

RC_GTEST_PROP(ParetoAssignments, JoinedAcrossQueriesGiveTheOptimum, (std::uint64_t seed)) {
  Rng rng(seed);
  constexpr std::int64_t kScale = 1000;
  const double value_per_second = 0.25 * kScale * static_cast<double>(rng.below(4));
  std::vector<std::vector<OracleOption>> pareto;
  std::vector<std::vector<OracleOption>> everything;
  for (int i = 0; i < 4; ++i) {
    Query query = random_query(rng, rng.below(4) + 1);
    for (OracleNode& node : query.nodes) {
      if (node.edge) node.edge->value *= kScale;
      if (node.cloud) node.cloud->value *= kScale;
    }
    pareto.push_back(priced(query.pareto(), value_per_second));
    everything.push_back(priced(all_of(query), value_per_second));
  }
  const auto budget = static_cast<std::int64_t>(rng.below(40));
  const auto reduced = best_choices(pareto, budget);
  const auto whole = best_choices(everything, budget);
  RC_ASSERT(reduced.has_value() == whole.has_value());
  if (reduced) RC_ASSERT(reduced->value == whole->value && reduced->is_exact);
}

TEST(ParetoAssignments, PutOffAnExpensiveNodeOnlyForTimeOrValue) {
  // Two independent nodes with one edge slot: the cloud is worth time for one of them.
  const Query query{
      .nodes = {{OracleOption{1, 0}, OracleOption{1, 7}}, {OracleOption{1, 0}, OracleOption{1, 3}}},
      .inputs = {0, 0}};
  EXPECT_EQ(query.pareto(),
            (std::vector<Assignment>{
                {0b00, 2, 0, seconds(10)}, {0b10, 2, 3, seconds(5)}, {0b11, 2, 10, seconds(2)}}));
}

TEST(ParetoAssignments, NeedATierForEveryNode) {
  const Query query{.nodes = {{OracleOption{1, 0}, std::nullopt}, {}}, .inputs = {0, 0}};
  EXPECT_TRUE(query.pareto().empty());
}

TEST(ParetoAssignments, OfTwelveNodesStillFit) {
  Rng rng(1);
  const Query query = random_query(rng, kOracleNodesMax);
  const auto kept = query.pareto();
  EXPECT_FALSE(kept.empty());
  EXPECT_LT(kept.size(), 1000U);
}

}  // namespace
}  // namespace hf::eval
