// A query's subtasks as a directed graph that grows while the plan is still being written.
//
// Acyclic by construction: a node may rely only on nodes that are already there. The graph holds
// structure and expected lengths, no progress; who is done is the scheduler's business.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/subtask.h"

namespace hf {

class Graph {
 public:
  // Adds a node and returns its id, counting up from 0.
  // REQUIRES: every input is the id of a node that is already there, none twice.
  SubtaskId add(Subtask subtask);

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const Subtask& operator[](SubtaskId id) const {
    return nodes_[index_of(id)].subtask;
  }
  [[nodiscard]] std::span<const SubtaskId> dependants(SubtaskId id) const;

  // Nodes from which `sink` cannot be reached, in id order.
  [[nodiscard]] std::vector<SubtaskId> not_reaching(SubtaskId sink) const;

  // Per node, the largest sum of lengths on any path from it to a node without dependants, itself
  // included: the node to start first is the one with the longest tail. Length is `expected`, or
  // `otherwise` where none is given. O(nodes + edges).
  [[nodiscard]] std::vector<std::int64_t> tails(Tokens otherwise) const;

  // Per node, how much longer it may take without lengthening the critical path, in the same units.
  [[nodiscard]] std::vector<std::int64_t> slack(Tokens otherwise) const;

  // Longest chain, in nodes. 0 for an empty graph.
  [[nodiscard]] std::size_t depth() const;

 private:
  struct Node {
    Subtask subtask;
    std::vector<SubtaskId> dependants;
  };
  std::vector<Node> nodes_;
};

}  // namespace hf
