#include "wire/run_events.h"

#include <optional>

#include "model/failure.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::wire {
namespace {

json::value subtask_number(const std::optional<SubtaskId>& subtask) {
  return subtask ? json::value(index_of(*subtask)) : json::value(nullptr);
}

std::string_view name_of(PlanOutcome outcome) {
  switch (outcome) {
    case PlanOutcome::kComplete:
      return "complete";
    case PlanOutcome::kTruncated:
      return "truncated";
    case PlanOutcome::kUseless:
      return "useless";
  }
  return "";
}

}  // namespace

std::string write_gate_event(const GateVerdict& verdict) {
  return to_text(
      json::object{{"type", "gate"}, {"plan", verdict.plan}, {"reason", verdict.reason}});
}

std::string write_step_event(const PlannedStep& step) {
  json::array inputs;
  for (const SubtaskId input : step.subtask.relies_on) inputs.emplace_back(index_of(input));
  return to_text(json::object{{"type", "step"},
                              {"subtask", index_of(step.id)},
                              {"label", step.label},
                              {"role", name_of(step.subtask.role)},
                              {"relies_on", std::move(inputs)}});
}

std::string write_plan_event(const PlanEnd& end, std::size_t repairs) {
  return to_text(json::object{{"type", "plan"},
                              {"outcome", name_of(end.outcome)},
                              {"answer", subtask_number(end.sink)},
                              {"repairs", repairs}});
}

std::string write_call_event(CallId call, CallKind kind, SubtaskId subtask, std::string_view reason,
                             const Endpoint& endpoint) {
  const bool is_planner = kind == CallKind::kPlanner;
  json::object object{{"type", "call"},
                      {"call", static_cast<std::uint64_t>(call)},
                      {"kind", is_planner                 ? "planner"
                               : kind == CallKind::kHedge ? "hedge"
                                                          : "subtask"},
                      {"subtask", nullptr},
                      {"endpoint", endpoint.name},
                      {"tier", name_of(endpoint.tier)}};
  if (!is_planner) {
    object["subtask"] = index_of(subtask);
    if (!reason.empty()) object["reason"] = reason;
  }
  return to_text(object);
}

std::string write_call_end_event(const CallRecord& call, const Endpoint& endpoint) {
  json::object object{{"type", "call_end"},
                      {"call", static_cast<std::uint64_t>(call.id)},
                      {"subtask", subtask_number(call.subtask)},
                      {"endpoint", endpoint.name},
                      {"status", call.status == CallStatus::kDone     ? "done"
                                 : call.status == CallStatus::kFailed ? "failed"
                                                                      : "cancelled"},
                      {"seconds", to_seconds(call.finished - call.started)},
                      {"tokens", call.usage.total().count()},
                      {"usd", usd_text(call.usd)}};
  if (call.failure != Failure::kNone) object["failure"] = hf::name_of(call.failure);
  return to_text(object);
}

}  // namespace hf::wire
