#include "wire/receipt_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "wire/plan_json.h"

namespace hf::wire {
namespace {

double milliseconds(Duration duration) {
  const std::int64_t microseconds = duration.count() / 1000;
  return static_cast<double>(microseconds) / 1000.0;
}

std::string_view name_of(CallKind kind) {
  switch (kind) {
    case CallKind::kPlanner:
      return "planner";
    case CallKind::kSubtask:
      return "subtask";
    case CallKind::kHedge:
      return "hedge";
  }
  return "subtask";
}

std::string_view name_of(CallStatus status) {
  switch (status) {
    case CallStatus::kRunning:
      return "running";
    case CallStatus::kDone:
      return "done";
    case CallStatus::kFailed:
      return "failed";
    case CallStatus::kCancelled:
      return "cancelled";
  }
  return "failed";
}

std::string_view name_of(SubtaskState state) {
  switch (state) {
    case SubtaskState::kWaiting:
      return "waiting";
    case SubtaskState::kReady:
      return "ready";
    case SubtaskState::kRunning:
      return "running";
    case SubtaskState::kDone:
      return "done";
    case SubtaskState::kFailed:
      return "failed";
    case SubtaskState::kSkipped:
      return "skipped";
    case SubtaskState::kPruned:
      return "pruned";
  }
  return "failed";
}

std::string label_of(const Receipt& receipt, SubtaskId id) {
  const std::size_t index = index_of(id);
  return index < receipt.steps.size() ? receipt.steps[index].label : fmt::format("{}", index + 1);
}

void put_usage(json::object& object, const Usage& usage, PicoUsd usd) {
  object["prompt_tokens"] = usage.prompt.count();
  object["cached_tokens"] = usage.cached.count();
  object["completion_tokens"] = usage.completion.count();
  object["usd"] = to_usd(usd);
  object["pico_usd"] = usd.count();  // The exact figure.
}

json::object plan_object(const Receipt& receipt) {
  json::object plan =
      plan_json(receipt.steps, receipt.plan_end, receipt.repairs, receipt.plan_source);
  plan["gate"] = {{"plan", receipt.planned}, {"reason", receipt.gate_reason}};
  return plan;
}

json::object alternative_object(const Receipt& receipt, const Alternative& alternative) {
  return {{"endpoint", receipt.endpoints[index_of(alternative.endpoint)].name},
          {"action", alternative.action == Action::kAttempt ? "attempt" : "run"},
          {"chance", alternative.chance},
          {"worth", alternative.worth},
          {"usd", to_usd(alternative.usd)},
          {"expected_ms", milliseconds(alternative.time)}};
}

// The numbers that a decision was made by.
void put_decision(json::object& object, const Receipt& receipt, const Decision& decision) {
  const Endpoint& endpoint = receipt.endpoints[index_of(decision.endpoint)];
  object["endpoint"] = endpoint.name;
  object["tier"] = hf::wire::name_of(endpoint.tier);
  object["action"] =
      decision.action == Action::kAttempt ? "attempt" : hf::wire::name_of(endpoint.tier);
  object["reason"] = decision.reason.view();
  object["edge_chance"] = decision.edge_chance;
  object["cloud_chance"] = decision.cloud_chance;
  object["utility"] = decision.utility;
  object["threshold"] = decision.threshold;
  object["normalised_cost"] = decision.cost;
  object["usd_price"] = decision.usd_price;
  object["time_price"] = decision.time_price;
  object["propensity"] = decision.propensity;
  json::array alternatives;
  for (const Alternative& each : decision.alternatives)
    alternatives.push_back(alternative_object(receipt, each));
  object["alternatives"] = std::move(alternatives);
}

json::value signals_value(const Signals& signals) {
  const auto number = [](const std::optional<double>& signal) {
    return signal ? json::value(*signal) : json::value(nullptr);
  };
  return {{"mean_logprob", number(signals.mean_logprob)},
          {"low_logprob", number(signals.low_logprob)},
          {"margin", number(signals.margin)}};
}

// What was seen of an attempt, and the decisions before the last one.
void put_attempt(json::object& object, const Receipt& receipt, std::size_t index) {
  const SubtaskRecord& subtask = receipt.record.subtasks[index];
  if (!subtask.attempt) return;
  const Attempt& attempt = *subtask.attempt;
  object["attempt"] = {
      {"signals", signals_value(attempt.signals)},
      {"completion_tokens", attempt.completion.count()},
      {"cut_by_length", attempt.was_cut},
      {"has_answer", attempt.has_answer},
      {"output", index < receipt.attempts.size() ? receipt.attempts[index] : std::string()}};
  json::array earlier;
  for (const Decision& decision : subtask.earlier) {
    json::object made;
    put_decision(made, receipt, decision);
    earlier.push_back(std::move(made));
  }
  object["earlier"] = std::move(earlier);
}

json::object subtask_object(const Receipt& receipt, std::size_t index) {
  const SubtaskRecord& subtask = receipt.record.subtasks[index];
  json::object object{{"id", label_of(receipt, SubtaskId(static_cast<std::uint32_t>(index)))},
                      {"state", name_of(subtask.state)}};
  if (subtask.decision) {
    put_decision(object, receipt, *subtask.decision);
  } else {
    for (const char* key : {"endpoint", "tier", "action"}) object[key] = nullptr;
    object["reason"] = subtask.why_not_done;
  }
  if (!subtask.why_not_done.empty()) object["why_not_done"] = subtask.why_not_done;
  put_attempt(object, receipt, index);
  object["ready_ms"] = milliseconds(subtask.ready);
  object["started_ms"] = milliseconds(subtask.started);
  object["finished_ms"] = milliseconds(subtask.finished);

  Usage usage;
  PicoUsd usd;
  std::int64_t attempts = 0;
  for (const CallRecord& call : receipt.record.calls) {
    if (!call.subtask || index_of(*call.subtask) != index || call.kind == CallKind::kPlanner)
      continue;
    usage += call.usage;
    usd += call.usd;
    ++attempts;
  }
  object["attempts"] = attempts;
  put_usage(object, usage, usd);
  object["output"] = index < receipt.outputs.size() ? receipt.outputs[index] : std::string();
  return object;
}

json::object call_object(const Receipt& receipt, const CallRecord& call) {
  const Endpoint& endpoint = receipt.endpoints[index_of(call.endpoint)];
  json::object object{{"kind", name_of(call.kind)}, {"subtask", nullptr},
                      {"endpoint", endpoint.name},  {"tier", hf::wire::name_of(endpoint.tier)},
                      {"lab", endpoint.lab},        {"status", name_of(call.status)}};
  if (call.subtask && call.kind != CallKind::kPlanner)
    object["subtask"] = label_of(receipt, *call.subtask);
  if (call.failure != Failure::kNone) object["failure"] = hf::name_of(call.failure);
  if (!call.detail.empty()) object["detail"] = call.detail;
  object["started_ms"] = milliseconds(call.started);
  if (call.first_token) object["first_token_ms"] = milliseconds(*call.first_token);
  object["finished_ms"] = milliseconds(call.finished);
  put_usage(object, call.usage, call.usd);
  object["usage_estimated"] = call.usage_estimated;
  object["cut_by_length"] = call.cut_by_length;
  if (call.signals) object["signals"] = signals_value(*call.signals);
  return object;
}

template <class Limit>
json::value limit_value(const std::optional<Limit>& limit, auto convert) {
  return limit ? json::value(convert(*limit)) : json::value(nullptr);
}

json::object budget_object(const RunRecord& record) {
  const BudgetState& state = record.budget_state;
  const auto count = [](Tokens tokens) { return tokens.count(); };
  return {{"usd",
           {{"limit", limit_value(state.usd_limit, to_usd)},
            {"spent", to_usd(state.spent.usd)},
            {"held", to_usd(state.held.usd)}}},
          {"cloud_tokens",
           {{"limit", limit_value(state.cloud_tokens_limit, count)},
            {"spent", state.spent.cloud_tokens.count()},
            {"held", state.held.cloud_tokens.count()}}},
          {"deadline_ms", limit_value(record.budget.deadline, milliseconds)}};
}

// Longest chain of work: each subtask's own time from start to end, after the longest chain of the
// input that released it, or after the planner wrote it if that was later. Waiting for a free place
// at an endpoint is not part of it.
Duration critical_path(const RunRecord& record) {
  Duration longest{};
  std::vector<Duration> ends(record.subtasks.size());
  for (std::size_t i = 0; i < record.subtasks.size(); ++i) {
    const SubtaskRecord& subtask = record.subtasks[i];
    if (subtask.state != SubtaskState::kDone) continue;
    Duration inputs_end{};
    Duration inputs_finished{};
    for (const SubtaskId input : subtask.subtask.relies_on) {
      inputs_end = std::max(inputs_end, ends[index_of(input)]);
      inputs_finished = std::max(inputs_finished, record.subtasks[index_of(input)].finished);
    }
    const Duration begin = subtask.ready > inputs_finished ? subtask.ready : inputs_end;
    ends[i] = begin + (subtask.finished - subtask.started);
    longest = std::max(longest, ends[i]);
  }
  return longest;
}

}  // namespace

Totals totals_of(const Receipt& receipt) {
  Totals totals;
  const auto cloud = std::ranges::find(receipt.endpoints, Tier::kCloud, &Endpoint::tier);
  if (cloud != receipt.endpoints.end()) totals.all_cloud_usd = PicoUsd(0);
  for (const CallRecord& call : receipt.record.calls) {
    const bool is_cloud = receipt.endpoints[index_of(call.endpoint)].tier == Tier::kCloud;
    (is_cloud ? totals.cloud_calls : totals.edge_calls) += 1;
    (is_cloud ? totals.cloud_tokens : totals.edge_tokens) += call.usage.total();
    if (call.kind == CallKind::kPlanner) totals.planner_tokens += call.usage.total();
    totals.usd += call.usd;
    if (totals.all_cloud_usd)
      *totals.all_cloud_usd += is_cloud ? call.usd : cost_of(cloud->price, call.usage);
  }
  totals.critical_path = critical_path(receipt.record);
  return totals;
}

json::object receipt_json(const Receipt& receipt) {
  const RunRecord& record = receipt.record;
  json::array degraded;
  for (const std::string& reason : record.degraded) degraded.emplace_back(reason);
  json::array subtasks;
  for (std::size_t i = 0; i < record.subtasks.size(); ++i) {
    if (record.subtasks[i].state != SubtaskState::kPruned)
      subtasks.push_back(subtask_object(receipt, i));
  }
  json::array calls;
  for (const CallRecord& call : record.calls) calls.push_back(call_object(receipt, call));

  const Totals totals = totals_of(receipt);
  json::object object{{"version", 1},
                      {"run", receipt.run},
                      {"outcome", record.outcome ? hf::wire::name_of(*record.outcome) : "running"},
                      {"degraded", std::move(degraded)},
                      {"answer", receipt.answer}};
  if (!record.trouble.empty()) object["error"] = record.trouble;
  object["policy"] = receipt.policy;
  object["plan"] = plan_object(receipt);
  object["subtasks"] = std::move(subtasks);
  object["calls"] = std::move(calls);
  object["totals"] = {{"wall_ms", milliseconds(record.wall)},
                      {"critical_path_ms", milliseconds(totals.critical_path)},
                      {"edge_calls", totals.edge_calls},
                      {"cloud_calls", totals.cloud_calls},
                      {"edge_tokens", totals.edge_tokens.count()},
                      {"cloud_tokens", totals.cloud_tokens.count()},
                      {"usd", to_usd(totals.usd)},
                      {"pico_usd", totals.usd.count()},
                      {"planner_tokens", totals.planner_tokens.count()},
                      {"all_cloud_usd", limit_value(totals.all_cloud_usd, to_usd)}};
  object["budget"] = budget_object(record);
  return object;
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAnswered:
      return "answered";
    case Outcome::kDegraded:
      return "degraded";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kDeadline:
      return "deadline";
    case Outcome::kUnavailable:
      return "unavailable";
    case Outcome::kCancelled:
      return "cancelled";
  }
  return "unavailable";
}

std::string_view name_of(Tier tier) {
  return tier == Tier::kEdge ? "edge" : "cloud";
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kExplain:
      return "explain";
    case Role::kAnalyze:
      return "analyze";
    case Role::kGenerate:
      return "generate";
  }
  return "analyze";
}

std::string usd_text(PicoUsd usd) {
  const std::int64_t count = usd.count();
  std::string text = fmt::format("{}.{:012}", count / kPicoPerUsd, count % kPicoPerUsd);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace hf::wire
