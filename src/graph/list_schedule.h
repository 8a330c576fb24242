// How long a query will take if its open steps go where they are said to go: a forward simulation
// of list scheduling (Graham, 1969), the longest tail first, on a few edge places and a cloud
// without a queue.
//
// Thread safety: none. No allocation after the largest graph it has seen.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "graph/graph.h"

namespace hf {

struct StepTime {
  Duration time{};       // Still to run from its start, or from now if it is running.
  bool is_over = false;  // Nothing is left of it.
  bool is_running = false;
  bool is_on_edge = true;  // Needs one of the edge places.
};

class ListSchedule {
 public:
  // From now to the end of the last step. `steps` and `priorities` (higher first) are by SubtaskId;
  // running steps on the edge hold their places. REQUIRES: both as long as the graph, one place.
  [[nodiscard]] Duration makespan(const Graph& graph, std::span<const StepTime> steps,
                                  std::span<const Duration> priorities, std::uint32_t edge_places);

 private:
  struct Running {
    Duration ends{};
    std::uint32_t step = 0;
    bool is_on_edge = false;
  };
  std::vector<std::uint32_t> inputs_left_;
  std::vector<std::uint32_t> ready_;  // On the edge, waiting for a place.
  std::vector<Running> running_;
};

}  // namespace hf
