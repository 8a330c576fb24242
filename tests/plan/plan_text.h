// Plans in one line, for tests: "1:explain[] 2:analyze[1] | sink 2 | pruned".
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_reader.h"

namespace hf {

struct ReadPlan {
  std::vector<PlannedStep> released;  // By push.
  std::vector<PlannedStep> at_end;    // By finish.
  std::vector<PlannedStep> steps;
  std::vector<std::string> repairs;
  PlanEnd end;
};

// Reads `text` in pieces of `piece` bytes; 0: all at once.
inline ReadPlan read_plan(std::string_view text, std::size_t piece = 0,
                          PlanReader::Options options = {}, bool is_cut = false) {
  PlanReader reader(options);
  ReadPlan plan;
  if (piece == 0) piece = std::max<std::size_t>(text.size(), 1);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    for (PlannedStep& step : reader.push(text.substr(at, piece))) {
      plan.released.push_back(std::move(step));
    }
  }
  PlanReader::End end = reader.finish(is_cut);
  plan.at_end = std::move(end.steps);
  plan.end = std::move(end.plan);
  plan.steps.assign(reader.steps().begin(), reader.steps().end());
  plan.repairs.assign(reader.repairs().begin(), reader.repairs().end());
  return plan;
}

inline std::string shape(const ReadPlan& plan) {
  constexpr const char* kRoles[] = {"explain", "analyze", "generate"};
  const auto label = [&](SubtaskId id) { return plan.steps[index_of(id)].label; };
  const auto labels = [&](const auto& ids) {
    std::string list;
    for (const SubtaskId id : ids) list += (list.empty() ? "" : ",") + label(id);
    return list;
  };
  std::string text;
  for (const PlannedStep& step : plan.steps) {
    text +=
        fmt::format("{}:{}[{}] ", step.label, kRoles[static_cast<std::size_t>(step.subtask.role)],
                    labels(step.subtask.relies_on));
  }
  text += plan.end.sink ? "| sink " + label(*plan.end.sink) : "| no sink";
  if (!plan.end.pruned.empty()) text += " | pruned " + labels(plan.end.pruned);
  return text;
}

// Everything that may be compared between two readings.
inline std::string everything(const ReadPlan& plan) {
  std::string text =
      shape(plan) + fmt::format(" {} {}", static_cast<int>(plan.end.outcome), plan.end.fault);
  for (const PlannedStep& step : plan.steps) {
    text += fmt::format("\n{} {} {}", step.task, step.subtask.expected.count(), step.difficulty);
  }
  for (const std::string& repair : plan.repairs) text += "\n" + repair;
  return text;
}

}  // namespace hf
