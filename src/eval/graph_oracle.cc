#include "eval/graph_oracle.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/assert.h"

namespace hf::eval {
namespace {

std::optional<Assignment> assign(std::span<const OracleNode> nodes, std::uint32_t clouds) {
  Assignment assignment{.clouds = clouds};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& option = (clouds >> i & 1U) != 0 ? nodes[i].cloud : nodes[i].edge;
    if (!option) return std::nullopt;
    assignment.value += option->value;
    assignment.cost += option->cost;
  }
  return assignment;
}

}  // namespace

std::vector<Assignment> pareto_assignments(
    std::span<const OracleNode> nodes,
    const std::function<Duration(std::uint32_t clouds)>& makespan) {
  HF_ASSERT(!nodes.empty() && nodes.size() <= kOracleNodesMax);
  std::vector<Assignment> all;
  for (std::uint32_t clouds = 0; clouds < 1U << nodes.size(); ++clouds) {
    std::optional<Assignment> assignment = assign(nodes, clouds);
    if (!assignment) continue;
    assignment->makespan = makespan(clouds);
    all.push_back(*assignment);
  }
  std::ranges::sort(all, {}, [](const Assignment& a) {
    return std::tuple(a.cost, a.makespan, -a.value, a.clouds);
  });

  // What came before is no dearer. `best` has the value that each makespan reached; both rise.
  std::map<Duration, std::int64_t> best;
  std::erase_if(all, [&](const Assignment& assignment) {
    auto after = best.upper_bound(assignment.makespan);
    if (after != best.begin() && std::prev(after)->second >= assignment.value) return true;
    best.insert_or_assign(assignment.makespan, assignment.value);
    while (after != best.end() && after->second <= assignment.value) after = best.erase(after);
    return false;
  });
  return all;
}

std::vector<OracleOption> priced(std::span<const Assignment> assignments, double value_per_second) {
  std::vector<OracleOption> options;
  options.reserve(assignments.size());
  for (const Assignment& assignment : assignments) {
    const double seconds = std::chrono::duration<double>(assignment.makespan).count();
    options.push_back(
        {assignment.value - std::llround(value_per_second * seconds), assignment.cost});
  }
  return options;
}

}  // namespace hf::eval
