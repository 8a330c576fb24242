// All ways to divide a small graph of subtasks between edge and cloud, reduced to those that no
// other beats in cost, makespan and value; priced, they are the options of the query in oracle.h.
//
// How long an assignment takes is the caller's to say. Thread safety: none needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/units.h"
#include "eval/oracle.h"

namespace hf::eval {

inline constexpr std::size_t kOracleNodesMax = 12;

// What a node is worth and costs on each tier; nullopt if it was not run there.
struct OracleNode {
  std::optional<OracleOption> edge;
  std::optional<OracleOption> cloud;
};

struct Assignment {
  std::uint32_t clouds = 0;  // Bit i: node i runs in the cloud.
  std::int64_t value = 0;
  std::int64_t cost = 0;
  Duration makespan{};

  friend bool operator==(const Assignment&, const Assignment&) = default;
};

// By rising cost, then makespan; of equals the one with the smaller `clouds`. Calls `makespan` once
// for every assignment that is possible. Empty if a node has no tier.
// REQUIRES: 1 to kOracleNodesMax nodes.
std::vector<Assignment> pareto_assignments(
    std::span<const OracleNode> nodes,
    const std::function<Duration(std::uint32_t clouds)>& makespan);

// The assignments as options of one group, in their order: a second costs `value_per_second`.
std::vector<OracleOption> priced(std::span<const Assignment> assignments, double value_per_second);

}  // namespace hf::eval
