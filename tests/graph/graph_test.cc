// Goal: the graph answers structure and lengths correctly and refuses what is not a graph.
// Method: hand-made shapes, plus random graphs against a slow search over all paths.
#include "graph/graph.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace hf {
namespace {

using Ids = std::vector<SubtaskId>;

std::vector<std::int64_t> tails(const Graph& graph, Tokens otherwise) {
  std::vector<std::int64_t> tails;
  for (const Graph::Path& path : graph.paths(otherwise)) tails.push_back(path.tail);
  return tails;
}

std::vector<std::int64_t> slacks(const Graph& graph, Tokens otherwise) {
  std::vector<std::int64_t> slacks;
  for (const Graph::Path& path : graph.paths(otherwise)) slacks.push_back(path.slack);
  return slacks;
}

SubtaskId id(std::size_t index) {
  return static_cast<SubtaskId>(index);
}

Subtask node(std::vector<std::size_t> inputs, std::int64_t expected = 0) {
  Subtask subtask;
  for (const std::size_t input : inputs) subtask.relies_on.push_back(id(input));
  subtask.expected = Tokens(expected);
  return subtask;
}

// 0 -> 1, 2, 3 -> 4 with lengths 10; 20, 50, none; 5.
Graph fan() {
  Graph graph;
  graph.add(node({}, 10));
  graph.add(node({0}, 20));
  graph.add(node({0}, 50));
  graph.add(node({0}));
  graph.add(node({1, 2, 3}, 5));
  return graph;
}

TEST(Graph, AnEmptyGraphHasNoDepthTailsOrSlack) {
  const Graph graph;
  EXPECT_EQ(graph.size(), 0U);
  EXPECT_EQ(graph.depth(), 0U);
  EXPECT_TRUE(graph.paths(Tokens(7)).empty());
}

TEST(Graph, GivesIdsInOrderAndRemembersDependants) {
  Graph graph;
  EXPECT_EQ(graph.add(node({})), id(0));
  EXPECT_EQ(graph.add(node({0})), id(1));
  EXPECT_EQ(graph.add(node({0, 1})), id(2));
  const auto dependants = graph.dependants(id(0));
  EXPECT_EQ(Ids(dependants.begin(), dependants.end()), (Ids{id(1), id(2)}));
  EXPECT_TRUE(graph.dependants(id(2)).empty());
  EXPECT_EQ(graph[id(2)].relies_on, (SubtaskIds{id(0), id(1)}));
}

TEST(Graph, DepthIsTheLongestChainInNodes) {
  EXPECT_EQ(fan().depth(), 3U);
}

TEST(Graph, TailsAddLengthsToTheEndAndSubstituteMissingOnes) {
  EXPECT_EQ(tails(fan(), Tokens(30)), (std::vector<std::int64_t>{65, 25, 55, 35, 5}));
}

TEST(Graph, SlackIsWhatANodeMayLoseWithoutLengtheningTheCriticalPath) {
  EXPECT_EQ(slacks(fan(), Tokens(30)), (std::vector<std::int64_t>{0, 30, 0, 20, 0}));
}

TEST(Graph, NodesThatDoNotReachTheSinkAreListedInOrder) {
  Graph graph = fan();
  graph.add(node({0}));
  graph.add(node({4}));
  EXPECT_EQ(graph.not_reaching(id(4)), (Ids{id(5), id(6)}));
  EXPECT_EQ(graph.not_reaching(id(0)), (Ids{id(1), id(2), id(3), id(4), id(5), id(6)}));
}

TEST(Graph, MeasuresInTheMemoryOfAnEarlierAnswerAndGrowsAgainAfterClear) {
  Graph graph = fan();
  auto paths = graph.paths(Tokens(30));
  const auto* const memory = paths.data();
  graph.clear();
  EXPECT_EQ(graph.size(), 0U);
  EXPECT_EQ(graph.add(node({}, 4)), id(0));
  EXPECT_TRUE(graph.dependants(id(0)).empty());
  paths = graph.paths(Tokens(30), std::move(paths));
  ASSERT_EQ(paths.size(), 1U);
  EXPECT_EQ(paths.data(), memory);
  EXPECT_EQ(paths[0].tail, 4);
  EXPECT_EQ(paths[0].slack, 0);
}

TEST(GraphDeathTest, AnInputThatIsNotThereIsAMistakeOfTheCaller) {
  Graph graph;
  graph.add(node({}));
  EXPECT_DEATH(graph.add(node({1})), "inputs");
  EXPECT_DEATH(graph.add(node({0, 0})), "inputs");
}

// The largest sum of lengths over all paths from `at`, by trying every one.
std::int64_t longest_from(const Graph& graph, SubtaskId at, std::int64_t otherwise) {
  const std::int64_t expected = graph[at].expected.count();
  std::int64_t best = 0;
  for (const SubtaskId next : graph.dependants(at)) {
    best = std::max(best, longest_from(graph, next, otherwise));
  }
  return best + (expected > 0 ? expected : otherwise);
}

bool reaches(const Graph& graph, SubtaskId from, SubtaskId to) {
  if (from == to) return true;
  const auto next = graph.dependants(from);
  return std::any_of(next.begin(), next.end(), [&](SubtaskId n) { return reaches(graph, n, to); });
}

Graph random_graph(const std::vector<std::pair<std::uint8_t, std::uint8_t>>& nodes) {
  Graph graph;
  for (std::size_t i = 0; i < std::min<std::size_t>(nodes.size(), 8); ++i) {
    std::vector<std::size_t> inputs;
    for (std::size_t j = 0; j < i; ++j) {
      if ((static_cast<unsigned>(nodes[i].first) >> j) & 1U) inputs.push_back(j);
    }
    graph.add(node(inputs, nodes[i].second % 5));
  }
  return graph;
}

RC_GTEST_PROP(Graph, AgreesWithASearchOverAllPaths,
              (const std::vector<std::pair<std::uint8_t, std::uint8_t>>& nodes)) {
  const Graph graph = random_graph(nodes);
  const auto paths = graph.paths(Tokens(3));
  for (std::size_t i = 0; i < graph.size(); ++i) {
    RC_ASSERT(paths[i].tail == longest_from(graph, id(i), 3));
  }
  for (std::size_t sink = 0; sink < graph.size(); ++sink) {
    Ids expected;
    for (std::size_t i = 0; i < graph.size(); ++i) {
      if (!reaches(graph, id(i), id(sink))) expected.push_back(id(i));
    }
    RC_ASSERT(graph.not_reaching(id(sink)) == expected);
  }
}

// Lengthening a node by its slack keeps the makespan, one more token lengthens it.
RC_GTEST_PROP(Graph, SlackIsExact,
              (const std::vector<std::pair<std::uint8_t, std::uint8_t>>& nodes)) {
  const Graph graph = random_graph(nodes);
  const auto makespan = [](const Graph& g) {
    const auto lengths = tails(g, Tokens(3));
    return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  };
  const auto slack = slacks(graph, Tokens(3));
  for (std::size_t longer = 0; longer < graph.size(); ++longer) {
    for (const std::int64_t extra : {std::int64_t{0}, std::int64_t{1}}) {
      Graph changed;
      for (std::size_t i = 0; i < graph.size(); ++i) {
        Subtask subtask = graph[id(i)];
        if (subtask.expected == Tokens(0)) subtask.expected = Tokens(3);
        if (i == longer) subtask.expected += Tokens(slack[i] + extra);
        changed.add(std::move(subtask));
      }
      RC_ASSERT(makespan(changed) == makespan(graph) + extra);
    }
  }
}

}  // namespace
}  // namespace hf
