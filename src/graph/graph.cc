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
  nodes_.push_back({std::move(subtask), {}});
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

std::vector<std::int64_t> Graph::tails(Tokens otherwise) const {
  std::vector<std::int64_t> tail(nodes_.size());
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    std::int64_t longest = 0;
    for (const SubtaskId next : nodes_[i].dependants) {
      longest = std::max(longest, tail[index_of(next)]);
    }
    tail[i] = longest + length_of(nodes_[i].subtask, otherwise);
  }
  return tail;
}

std::vector<std::int64_t> Graph::slack(Tokens otherwise) const {
  const std::vector<std::int64_t> tail = tails(otherwise);
  std::int64_t critical = 0;
  for (const std::int64_t length : tail) critical = std::max(critical, length);

  std::vector<std::int64_t> head(nodes_.size());  // Largest sum of lengths before the node.
  std::vector<std::int64_t> slack(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const SubtaskId input : nodes_[i].subtask.relies_on) {
      const std::size_t at = index_of(input);
      head[i] = std::max(head[i], head[at] + length_of(nodes_[at].subtask, otherwise));
    }
    slack[i] = critical - head[i] - tail[i];
  }
  return slack;
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
