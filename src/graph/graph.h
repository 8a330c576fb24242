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

  // Removes all nodes and keeps their memory.
  void clear() { nodes_.clear(); }

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const Subtask& operator[](SubtaskId id) const {
    return nodes_[index_of(id)].subtask;
  }
  [[nodiscard]] std::span<const SubtaskId> dependants(SubtaskId id) const;

  // Nodes from which `sink` cannot be reached, in id order.
  [[nodiscard]] std::vector<SubtaskId> not_reaching(SubtaskId sink) const;

  struct Path {
    std::int64_t tail = 0;   // Largest sum of lengths on any path from here to a node without
                             // dependants, this one included: the longest is started first.
    std::int64_t slack = 0;  // How much longer it may take without lengthening the critical path.
  };

  // Per node, in the memory of `used`. Length is `expected`, or `otherwise` where none is given.
  // O(nodes + edges).
  [[nodiscard]] std::vector<Path> paths(Tokens otherwise, std::vector<Path> used = {}) const;

  // Longest chain, in nodes. 0 for an empty graph.
  [[nodiscard]] std::size_t depth() const;

 private:
  struct Node {
    Subtask subtask;
    SubtaskIds dependants;
  };
  std::vector<Node> nodes_;
};

}  // namespace hf
