#include "sim/checker.h"

#include <fmt/format.h>

#include <algorithm>

namespace hf::sim {
namespace {

bool has_ended(SubtaskState state) {
  return state == SubtaskState::kDone || state == SubtaskState::kFailed ||
         state == SubtaskState::kSkipped || state == SubtaskState::kPruned;
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace

void Checker::expect(bool holds, const std::string& rule) {
  if (holds) return;
  violations_.push_back(fmt::format("{} ns: {}", now_.time_since_epoch().count(), rule));
}

Amounts Checker::amounts_of(EndpointId id, const Usage& usage) const {
  const Endpoint& endpoint = options_.endpoints[index_of(id)];
  return {cost_of(endpoint.price, usage),
          endpoint.tier == Tier::kCloud ? usage.total() : Tokens(0)};
}

Amounts Checker::worst_of(const StartCall& command, const Truth& truth) const {
  std::int64_t bytes = truth.question_bytes;
  if (command.kind == CallKind::kPlanner) {
    bytes += options_.plan_overhead_bytes;
  } else {
    bytes += options_.prompt_overhead_bytes;
    if (command.prompt != Prompt::kWhole) {
      bytes += truth.steps[index_of(command.subtask)].task_bytes;
    }
    for (const SubtaskId id : command.inputs) {
      const Step& input = truth.steps[index_of(id)];
      bytes += std::int64_t{input.task_bytes} + input.output_bytes + options_.input_overhead_bytes;
    }
  }
  Usage worst;
  worst.prompt = Tokens(bytes);
  worst.completion = command.max_tokens;
  return amounts_of(command.endpoint, worst);
}

void Checker::saw(TimePoint now, const Event& event) {
  now_ = now;
  std::visit(
      Overloaded{
          [&](const QueryArrived& e) {
            queries_[e.query] = Truth{.arrived = now,
                                      .budget = e.budget,
                                      .question_bytes = e.question_bytes,
                                      .steps = {},
                                      .states = {},
                                      .spent = {},
                                      .held = {}};
          },
          [&](const StepParsed& e) {
            queries_[e.query].steps.push_back({.subtask = e.subtask, .task_bytes = e.task_bytes});
          },
          [&](const CallDone& e) {
            const Call& call = calls_[e.call];
            std::vector<Step>& steps = queries_[call.query].steps;
            if (call.is_running && call.is_step) {
              Step& step = steps[index_of(call.subtask)];
              expect(!step.is_done, "a subtask was done twice");
              step.is_done = true;
              step.output_bytes = e.output_bytes;
            }
            ended(e.call, e.usage, true, false);
          },
          [&](const CallFailed& e) { ended(e.call, e.usage, e.billable, false); },
          [](const auto&) {},
      },
      event);
}

void Checker::saw(TimePoint now, const Command& command, const Scheduler& scheduler) {
  now_ = now;
  std::visit(Overloaded{
                 [&](const StartCall& c) { started(c, scheduler); },
                 [&](const CancelCall& c) { ended(c.call, std::nullopt, true, true); },
                 [&](const FinishQuery& c) { finished(now, c, scheduler); },
                 [](const SetTimer&) {},
             },
             command);
}

void Checker::started(const StartCall& command, const Scheduler& scheduler) {
  Truth& truth = queries_[command.query];
  expect(!truth.is_over, "a call started after its query was finished");
  const std::size_t endpoint = index_of(command.endpoint);
  expect(++in_flight_[endpoint] <= options_.endpoints[endpoint].max_in_flight,
         fmt::format("{} has more calls than it allows", options_.endpoints[endpoint].name));
  const Amounts worst = worst_of(command, truth);
  calls_[command.call] =
      Call{.query = command.query,
           .is_step = command.kind == CallKind::kSubtask && command.prompt != Prompt::kWhole,
           .subtask = command.subtask,
           .endpoint = command.endpoint,
           .worst = worst,
           .booked = {}};
  truth.held += worst;
  held_ += worst;
  if (command.kind == CallKind::kSubtask) check_inputs(command, truth, scheduler);
}

void Checker::check_inputs(const StartCall& command, const Truth& truth,
                           const Scheduler& scheduler) {
  if (command.prompt == Prompt::kWhole)
    return expect(command.inputs.empty(), "a whole with inputs");
  const RunRecord& record = scheduler.record(command.query);
  const Step& step = truth.steps[index_of(command.subtask)];
  expect(!step.is_done, "a subtask that is done started again");
  std::vector<SubtaskId> done;
  for (const SubtaskId id : step.subtask.relies_on) {
    expect(has_ended(record.subtasks[index_of(id)].state),
           "a subtask started before its input ended");
    if (truth.steps[index_of(id)].is_done) done.push_back(id);
  }
  std::ranges::sort(done);
  expect(done == command.inputs, "the inputs given are not those that are done");
}

void Checker::ended(CallId id, const std::optional<Usage>& usage, bool is_billable,
                    bool is_cancel) {
  Call& call = calls_[id];
  Truth& truth = queries_[call.query];
  if (call.is_running) {
    call.is_running = false;
    --in_flight_[index_of(call.endpoint)];
    truth.held -= call.worst;
    held_ -= call.worst;
  } else {
    expect(!is_cancel, "a call that was over was cancelled");
    if (!usage && is_billable) return;  // It says nothing new.
    truth.spent -= call.booked;
    spent_ -= call.booked;
  }
  call.booked = usage ? amounts_of(call.endpoint, *usage) : is_billable ? call.worst : Amounts{};
  truth.spent += call.booked;
  spent_ += call.booked;
  if (call.booked.usd > call.worst.usd || call.booked.cloud_tokens > call.worst.cloud_tokens) {
    truth.has_overrun = has_overrun_ = true;
  }
}

void Checker::finished(TimePoint now, const FinishQuery& command, const Scheduler& scheduler) {
  Truth& truth = queries_[command.query];
  expect(!truth.is_over, "a query was finished twice");
  truth.is_over = true;
  expect(truth.held == Amounts{}, "a finished query holds money");
  if (truth.budget.deadline) {
    expect(now - truth.arrived <= std::max(*truth.budget.deadline, Duration(0)),
           "a query finished after its deadline");
  }
  const RunRecord& record = scheduler.record(command.query);
  expect(record.outcome == command.outcome, "the record's outcome differs from the command's");
  for (const SubtaskRecord& subtask : record.subtasks) {
    expect(has_ended(subtask.state), "a finished query has a subtask that has not ended");
  }
  for (const CallRecord& call : record.calls) {
    expect(call.status != CallStatus::kRunning, "a finished query has a running call");
  }
}

void Checker::check(TimePoint now, const Scheduler& scheduler) {
  now_ = now;
  for (auto& [id, truth] : queries_) check_query(id, truth, scheduler.record(id));
  if (!has_overrun_) check_limits("process", options_.process, spent_, held_);
}

void Checker::check_query(QueryId id, Truth& truth, const RunRecord& record) {
  const std::string scope = fmt::format("query {}", static_cast<std::uint64_t>(id));
  if (!truth.has_overrun) check_limits(scope, truth.budget, truth.spent, truth.held);
  expect(record.budget_state.spent == truth.spent, scope + ": the ledger's spent is wrong");
  expect(record.budget_state.held == truth.held, scope + ": the ledger's held is wrong");
  Amounts sum;
  for (const CallRecord& call : record.calls) {
    sum += amounts_of(call.endpoint, call.usage);
    expect(amounts_of(call.endpoint, call.usage).usd == call.usd,
           scope + ": a call's cost is wrong");
  }
  expect(sum == truth.spent, scope + ": its calls do not add up to what is spent");

  for (std::size_t i = 0; i < truth.states.size(); ++i) {
    const bool has_changed = record.subtasks[i].state != truth.states[i];
    expect(!has_changed || !has_ended(truth.states[i]), scope + ": a subtask ended twice");
  }
  truth.states.clear();
  for (const SubtaskRecord& subtask : record.subtasks) truth.states.push_back(subtask.state);
}

void Checker::check_limits(const std::string& scope, const Budget& limits, const Amounts& spent,
                           const Amounts& held) {
  expect(!limits.usd || spent.usd + held.usd <= *limits.usd, scope + ": too many dollars");
  expect(!limits.cloud_tokens || spent.cloud_tokens + held.cloud_tokens <= *limits.cloud_tokens,
         scope + ": too many cloud tokens");
}

void Checker::check_end() {
  for (const auto& [id, truth] : queries_) {
    expect(truth.is_over, fmt::format("query {} never finished", static_cast<std::uint64_t>(id)));
  }
  expect(held_ == Amounts{}, "money is held at the end");
}

}  // namespace hf::sim
