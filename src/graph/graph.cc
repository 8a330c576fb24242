#include "graph/graph.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/assert.h"

namespace hf {
namespace {

std::int64_t length_of(const Subtask& subtask, Tokens otherwise) {
  return subtask.expected.count() > 0 ? subtask.expected.count() : otherwise.count();
}

}  // namespace

SubtaskId Graph::add(Subtask subtask) {
  const auto id = static_cast<SubtaskId>(nodes_.size());
  const auto& inputs = subtask.relies_on;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    HF_ASSERT(inputs[i] < id);
    HF_ASSERT(std::find(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(i),
                        inputs[i]) == inputs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const SubtaskId input : inputs) nodes_[index_of(input)].dependants.push_back(id);
  nodes_.emplace_back().subtask = std::move(subtask);
  return id;
}

std::span<const SubtaskId> Graph::dependants(SubtaskId id) const {
  return nodes_[index_of(id)].dependants;
}

std::vector<SubtaskId> Graph::not_reaching(SubtaskId sink) const {
  // Ids are in topological order, so one sweep backwards settles every node after its dependants.
  std::vector<bool> reaches(nodes_.size());
  reaches[index_of(sink)] = true;
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    if (!reaches[i]) continue;
    for (const SubtaskId input : nodes_[i].subtask.relies_on) reaches[index_of(input)] = true;
  }
  std::vector<SubtaskId> lost;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!reaches[i]) lost.push_back(static_cast<SubtaskId>(i));
  }
  return lost;
}

std::vector<Graph::Path> Graph::paths(Tokens otherwise, std::vector<Path> used) const {
  std::vector<Path> paths = std::move(used);
  paths.assign(nodes_.size(), Path{});
  std::int64_t critical = 0;
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    std::int64_t longest = 0;
    for (const SubtaskId next : nodes_[i].dependants) {
      longest = std::max(longest, paths[index_of(next)].tail);
    }
    paths[i].tail = longest + length_of(nodes_[i].subtask, otherwise);
    critical = std::max(critical, paths[i].tail);
  }
  // Until its own turn is over, `slack` is the largest sum of lengths before the node.
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::int64_t before = paths[i].slack;
    paths[i].slack = critical - before - paths[i].tail;
    const std::int64_t until = before + length_of(nodes_[i].subtask, otherwise);
    for (const SubtaskId next : nodes_[i].dependants) {
      paths[index_of(next)].slack = std::max(paths[index_of(next)].slack, until);
    }
  }
  return paths;
}

std::size_t Graph::depth() const {
  std::vector<std::size_t> level(nodes_.size(), 1);
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const SubtaskId input : nodes_[i].subtask.relies_on) {
      level[i] = std::max(level[i], level[index_of(input)] + 1);
    }
    deepest = std::max(deepest, level[i]);
  }
  return deepest;
}

}  // namespace hf
