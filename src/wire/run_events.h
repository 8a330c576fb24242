// What happens in a run, as clients who follow it are told: one JSON object an event, with its
// `type`. docs/server.md lists them. Thread safety: none needed, there is no state.
#pragma once

#include <span>
#include <string>

#include "model/plan.h"
#include "model/receipt.h"
#include "plan/gate.h"
#include "schedule/event.h"

namespace hf::wire {

std::string write_gate_event(const GateVerdict& verdict);
std::string write_step_event(const PlannedStep& step);
std::string write_plan_event(const PlanEnd& end, std::span<const std::string> repairs);
// With the decision that led to it, where there is one.
std::string write_call_event(const StartCall& call, const RunRecord& record,
                             const Endpoint& endpoint);
std::string write_call_end_event(const CallRecord& call, const Endpoint& endpoint);

}  // namespace hf::wire
