#include "graph/list_schedule.h"

#include <algorithm>

#include "base/assert.h"

namespace hf {

Duration ListSchedule::makespan(const Graph& graph, std::span<const StepTime> steps,
                                std::span<const Duration> priorities, std::uint32_t edge_places) {
  HF_ASSERT(edge_places > 0 && steps.size() == graph.size() && priorities.size() == graph.size());
  inputs_left_.assign(graph.size(), 0);
  ready_.clear();
  running_.clear();
  std::uint32_t on_edge = 0;
  Duration now{};

  const auto run = [&](std::uint32_t step) {
    running_.push_back({now + steps[step].time, step, steps[step].is_on_edge});
    if (steps[step].is_on_edge) ++on_edge;
  };
  const auto make_ready = [&](std::uint32_t step) {
    if (steps[step].is_on_edge) {
      ready_.push_back(step);
    } else {
      run(step);
    }
  };
  for (std::uint32_t i = 0; i < graph.size(); ++i) {
    if (steps[i].is_over) continue;
    for (const SubtaskId id : graph[static_cast<SubtaskId>(i)].relies_on) {
      if (!steps[index_of(id)].is_over) ++inputs_left_[i];
    }
    if (steps[i].is_running) {
      run(i);
    } else if (inputs_left_[i] == 0) {
      make_ready(i);
    }
  }

  while (true) {
    while (on_edge < edge_places && !ready_.empty()) {
      const auto first = std::ranges::max_element(
          ready_, {}, [&](std::uint32_t step) { return priorities[step]; });
      const std::uint32_t step = *first;
      ready_.erase(first);
      run(step);
    }
    if (running_.empty()) return now;
    const auto next = std::ranges::min_element(running_, {}, &Running::ends);
    const Running ended = *next;
    running_.erase(next);
    now = ended.ends;
    if (ended.is_on_edge) --on_edge;
    for (const SubtaskId id : graph.dependants(static_cast<SubtaskId>(ended.step))) {
      const auto index = static_cast<std::uint32_t>(index_of(id));
      if (steps[index].is_over || steps[index].is_running) continue;
      if (--inputs_left_[index] == 0) make_ready(index);
    }
  }
}

}  // namespace hf
