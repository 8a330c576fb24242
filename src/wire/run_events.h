// What happens in a run, as clients who follow it are told: one JSON object an event, with its
// `type`. docs/server.md lists them. Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/plan.h"
#include "model/receipt.h"
#include "plan/gate.h"

namespace hf::wire {

std::string write_gate_event(const GateVerdict& verdict);
std::string write_step_event(const PlannedStep& step);
// `repairs`: how many the plan needed.
std::string write_plan_event(const PlanEnd& end, std::size_t repairs);
// `subtask` counts only if it is no planner's call; `reason` is that of the decision that led to
// it, empty if there is none.
std::string write_call_event(CallId call, CallKind kind, SubtaskId subtask, std::string_view reason,
                             const Endpoint& endpoint);
std::string write_call_end_event(const CallRecord& call, const Endpoint& endpoint);

}  // namespace hf::wire
