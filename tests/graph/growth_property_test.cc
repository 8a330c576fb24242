// Goal: a graph that grows under the planner's hand says the same as one that is known at once.
// Method: random graphs; after each node, structure and lengths against definitions by search.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace hf {
namespace {

constexpr Tokens kOtherwise{3};

SubtaskId nth(std::size_t index) {
  return static_cast<SubtaskId>(index);
}

Subtask random_subtask(std::size_t index) {
  Subtask subtask;
  subtask.expected = Tokens(*rc::gen::inRange(0, 6));
  for (std::size_t input = index; input-- > 0;) {  // Not in id order.
    if (*rc::gen::inRange(0, 3) == 0) subtask.relies_on.push_back(nth(input));
  }
  return subtask;
}

// Nodes on the longest chain that ends here.
std::size_t level_of(const Graph& graph, SubtaskId at) {
  std::size_t deepest = 0;
  for (const SubtaskId input : graph[at].relies_on) {
    deepest = std::max(deepest, level_of(graph, input));
  }
  return deepest + 1;
}

RC_GTEST_PROP(GraphGrowth, KeepsDependantsDepthTailsAndSlackTrueAfterEveryNode, ()) {
  Graph graph;
  const std::size_t nodes = *rc::gen::inRange<std::size_t>(1, 9);
  std::vector<Graph::Path> before;
  for (std::size_t i = 0; i < nodes; ++i) {
    RC_ASSERT(graph.add(random_subtask(i)) == nth(i));
    std::size_t depth = 0;
    for (std::size_t from = 0; from <= i; ++from) {
      depth = std::max(depth, level_of(graph, nth(from)));
      std::vector<SubtaskId> dependants;
      for (std::size_t to = 0; to <= i; ++to) {
        if (std::ranges::count(graph[nth(to)].relies_on, nth(from)) > 0)
          dependants.push_back(nth(to));
      }
      RC_ASSERT(std::ranges::equal(graph.dependants(nth(from)), dependants));
    }
    RC_ASSERT(graph.depth() == depth);

    const auto paths = graph.paths(kOtherwise);
    RC_ASSERT(paths.size() == i + 1);
    for (std::size_t at = 0; at < before.size(); ++at) RC_ASSERT(paths[at].tail >= before[at].tail);
    for (const Graph::Path& each : paths) RC_ASSERT(each.slack >= 0);
    RC_ASSERT(std::ranges::count(paths, 0, &Graph::Path::slack) > 0);  // Something is critical.
    before = paths;
  }
}

}  // namespace
}  // namespace hf
