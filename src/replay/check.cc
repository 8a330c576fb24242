#include "replay/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

namespace hf {
namespace {

constexpr std::uint32_t kMostBytes = 64 * 1024 * 1024;
constexpr Tokens kMostTokens{10'000'000};
constexpr PicoUsd kHighestPrice{1'000'000'000};  // $1,000 per million tokens.
constexpr Duration kLongest = std::chrono::hours(24);
constexpr std::size_t kEndpointsMax = 1'000;
constexpr std::size_t kStepsMax = 1'000;

Result<void> wrong(std::string message) {
  return fail(Code::kInvalidInput, std::move(message));
}

template <class Unit>
bool is_within(Unit value, Unit most) {
  return value >= Unit(0) && value <= most;
}

Result<void> check_part(const Budget& budget) {
  const bool is_negative = budget.usd.value_or(PicoUsd(0)) < PicoUsd(0) ||
                           budget.cloud_tokens.value_or(Tokens(0)) < Tokens(0);
  return is_negative ? wrong("a budget is negative") : Result<void>();
}

bool is_plan_open(const RunRecord* record) {
  return record != nullptr && !record->outcome && !record->sink;
}

Result<void> check_part(const QueryArrived& event, const RunRecord* record) {
  if (record != nullptr) return wrong("the query is already there");
  if (event.question_bytes > kMostBytes) return wrong("the question is too long");
  if (event.is_forwarded && event.plan) return wrong("a request that is passed on has no plan");
  if (!is_within(event.answer_tokens.value_or(Tokens(0)), kMostTokens))
    return wrong("the cap of the answer is out of range");
  return check_part(event.budget);
}

Result<void> check_part(const StepParsed& event, const RunRecord* record) {
  if (!is_plan_open(record)) return {};
  const std::size_t next = record->subtasks.size();
  if (index_of(event.id) != next)
    return wrong(fmt::format("step {} comes where step {} must", index_of(event.id), next));
  if (next >= kStepsMax) return wrong("the plan has too many steps");
  const auto& inputs = event.subtask.relies_on;
  for (auto input = inputs.begin(); input != inputs.end(); ++input) {
    if (*input >= event.id || std::find(inputs.begin(), input, *input) != input)
      return wrong("a step relies on itself, on a later one or on one twice");
  }
  if (!is_within(event.subtask.expected, kMostTokens) || event.task_bytes > kMostBytes)
    return wrong("a size of the step is out of range");
  return {};
}

Result<void> check_part(const PlanEnded& event, const RunRecord* record) {
  if (!is_plan_open(record) || event.outcome == PlanOutcome::kUseless || !event.sink) return {};
  const auto is_step = [&](SubtaskId id) { return index_of(id) < record->subtasks.size(); };
  const bool is_known = is_step(*event.sink) && std::ranges::all_of(event.pruned, is_step);
  if (!is_known || std::ranges::find(event.pruned, *event.sink) != event.pruned.end())
    return wrong("the end of the plan names steps that cannot be meant");
  return {};
}

Result<void> check_part(const CallDone& event, const RunRecord* /*record*/) {
  return event.output_bytes > kMostBytes ? wrong("the answer is too long") : Result<void>();
}

Result<void> check_part(const AccountOpened& event, const RunRecord* /*record*/) {
  return check_part(event.limits);
}

Result<void> check_part(const BudgetChanged& event, const RunRecord* /*record*/) {
  return check_part(event.limits);
}

Result<void> check_part(const auto& /*event*/, const RunRecord* /*record*/) {
  return {};
}

}  // namespace

Result<void> check(const wire::LogHeader& header) {
  const Scheduler::Options& options = header.scheduler;
  const std::size_t endpoints = options.endpoints.size();
  if (endpoints == 0 || endpoints > kEndpointsMax || index_of(options.planner) >= endpoints)
    return wrong("the endpoints or the planner's number are out of range");
  for (const Endpoint& endpoint : options.endpoints) {
    for (const PicoUsd price :
         {endpoint.price.prompt, endpoint.price.cached, endpoint.price.completion}) {
      if (!is_within(price, kHighestPrice)) return wrong("a price is out of range");
    }
  }
  for (const Tokens tokens :
       {options.plan_max_tokens, options.subtask_max_tokens, options.sink_max_tokens}) {
    if (!is_within(tokens, kMostTokens)) return wrong("a limit of tokens is out of range");
  }
  for (const std::uint32_t bytes :
       {options.prompt_overhead_bytes, options.input_overhead_bytes, options.plan_overhead_bytes}) {
    if (bytes > kMostBytes) return wrong("an overhead is out of range");
  }
  for (const Duration duration :
       {options.retry.base, options.retry.cap, options.breaker.cool_down, options.hedge_floor}) {
    if (!is_within(duration, kLongest)) return wrong("a duration is out of range");
  }
  return check_part(options.process);
}

Result<void> check(const Event& event, const RunRecord* record) {
  return std::visit([&](const auto& each) { return check_part(each, record); }, event);
}

}  // namespace hf
