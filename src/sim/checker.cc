#include "sim/checker.h"

#include <fmt/format.h>

#include <algorithm>

namespace hf::sim {
namespace {

// Queries that nothing touched are looked at again after so many events.
constexpr std::uint64_t kFullCheckEvery = 256;
constexpr std::size_t kViolationsMax = 20;

bool has_ended(SubtaskState state) {
  return state == SubtaskState::kDone || state == SubtaskState::kFailed ||
         state == SubtaskState::kSkipped || state == SubtaskState::kPruned;
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

// The counter of a subtask; they come into being when they are asked for.
std::uint8_t& count_of(std::vector<std::uint8_t>& counts, SubtaskId id) {
  if (index_of(id) >= counts.size()) counts.resize(index_of(id) + 1);
  return counts[index_of(id)];
}

template <class Quantity>
Quantity excess(Quantity amount, Quantity covered) {
  return std::max(amount - covered, Quantity(0));
}

}  // namespace

void Checker::complain(std::string_view rule) {
  if (violations_.size() >= kViolationsMax) return;
  const std::int64_t ns = now_.time_since_epoch().count();
  violations_.push_back(
      at_ ? fmt::format("{} ns: query {}: {}", ns, static_cast<std::uint64_t>(*at_), rule)
          : fmt::format("{} ns: {}", ns, rule));
}

Checker::Truth& Checker::touch(QueryId id) {
  if (gone_.contains(id)) {
    at_ = id;
    complain("it was in a process that died, and something happens to it");
  }
  const auto found = places_.try_emplace(id, static_cast<std::uint32_t>(queries_.size()));
  if (found.second) queries_.emplace_back().id = id;
  Truth& truth = queries_[found.first->second];
  if (!truth.is_touched) touched_.push_back(found.first->second);
  truth.is_touched = true;
  at_ = id;
  return truth;
}

Checker::Call& Checker::call_of(CallId id) {
  if (index_of(id) >= calls_.size()) calls_.resize(index_of(id) + 1);
  Call& call = calls_[index_of(id)];
  if (call.is_known) at_ = queries_[call.query].id;
  return call;
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
  at_.reset();
  std::visit(
      Overloaded{
          [&](const QueryArrived& e) {
            Truth& truth = touch(e.query);
            ++arrived_;
            truth.budget = e.budget;
            if (payers_.contains(e.account)) truth.account = e.account;
            truth.is_local_only = e.local_only;
            truth.question_bytes = e.question_bytes;
            if (e.budget.deadline) truth.due = now + std::max(*e.budget.deadline, Duration(0));
          },
          [&](const StepParsed& e) {
            touch(e.query).steps.push_back({.subtask = e.subtask, .task_bytes = e.task_bytes});
          },
          [&](const PlanEnded& e) { touch(e.query); },
          [&](const CancelAsked& e) { touch(e.query); },
          [&](const CallDone& e) { done(e); },
          [&](const CallFailed& e) { ended(e.call, e.usage, e.billable); },
          [&](const AccountOpened& e) {
            payers_.emplace(e.account, Payer{e.parent, e.limits, {}});
          },
          [&](const BudgetChanged& e) { payers_.at(e.account).limits = e.limits; },
          [](const auto&) {},
      },
      event);
}

void Checker::saw(TimePoint now, const Command& command, const Scheduler& scheduler) {
  now_ = now;
  at_.reset();
  std::visit(Overloaded{
                 [&](const StartCall& c) { started(c, scheduler); },
                 [&](const CancelCall& c) { cancelled(c.call); },
                 [&](const FinishQuery& c) { finished(now, c, scheduler); },
                 [](const auto&) {},
             },
             command);
}

void Checker::started(const StartCall& command, const Scheduler& scheduler) {
  Truth& truth = touch(command.query);
  expect(!truth.is_over, "a call started after its query was finished");
  const std::size_t endpoint = index_of(command.endpoint);
  expect(++in_flight_[endpoint] <= options_.endpoints[endpoint].max_in_flight,
         "an endpoint has more calls than it allows");
  expect(!truth.is_local_only || options_.endpoints[endpoint].is_local,
         "what must stay local was sent to the cloud");

  Call& call = call_of(command.call);
  expect(!call.is_known, "two calls have one id");
  const bool is_planner = command.kind == CallKind::kPlanner;
  call = Call{.query = places_.at(command.query),
              .is_step = !is_planner && command.prompt != Prompt::kWhole,
              .is_planner = is_planner,
              .is_attempt = command.is_attempt,
              .subtask = command.subtask,
              .endpoint = command.endpoint,
              .worst = worst_of(command, truth),
              .booked = {},
              .is_known = true,
              .is_running = true};
  std::uint8_t& running = is_planner ? truth.planners : count_of(truth.calls, command.subtask);
  expect(running == (command.kind == CallKind::kHedge ? 1 : 0),
         "a subtask has more calls than one and a hedge");
  ++running;
  ++truth.running;
  for_each_money(truth, [&](const Budget& limits, Money& money) {
    money.reserved += call.worst;
    money.held += call.worst;
    check_fits(limits, money, call.worst);
  });
  if (!is_planner) check_inputs(command, truth, scheduler);
}

// What an endpoint reported beyond its allowance may have used a limit up: then nothing fits.
void Checker::check_fits(const Budget& limits, const Money& money, const Amounts& worst) {
  const bool pays = worst.usd > PicoUsd(0);
  const bool sends = worst.cloud_tokens > Tokens(0);
  expect(!pays || !limits.usd || money.spent.usd + money.held.usd <= *limits.usd,
         "a call started that its dollars do not allow");
  expect(!sends || !limits.cloud_tokens ||
             money.spent.cloud_tokens + money.held.cloud_tokens <= *limits.cloud_tokens,
         "a call started that its cloud tokens do not allow");
}

void Checker::check_inputs(const StartCall& command, const Truth& truth,
                           const Scheduler& scheduler) {
  if (command.prompt == Prompt::kWhole)
    return expect(command.inputs.empty(), "a whole with inputs");
  const RunRecord& record = scheduler.record(command.query);
  const Step& step = truth.steps[index_of(command.subtask)];
  expect(!step.is_done, "a subtask that is done started again");
  expect(!(step.is_attempted && command.is_attempt), "a subtask was attempted twice");
  std::size_t done = 0;
  for (const SubtaskId id : step.subtask.relies_on) {
    expect(has_ended(record.subtasks[index_of(id)].state),
           "a subtask started before its input ended");
    const Step& input = truth.steps[index_of(id)];
    const bool stands = record.subtasks[index_of(id)].state == SubtaskState::kDone;
    expect(!stands || input.is_done || input.is_attempted, "a subtask is done without a result");
    if (!input.is_done && !(input.is_attempted && stands)) continue;
    ++done;
    expect(std::ranges::find(command.inputs, id) != command.inputs.end(),
           "the inputs given are not those that are done");
  }
  expect(done == command.inputs.size() && std::ranges::is_sorted(command.inputs),
         "the inputs given are not those that are done");
}

void Checker::done(const CallDone& event) {
  const Call& call = call_of(event.call);
  if (call.is_running && call.is_step) {
    Step& step = queries_[call.query].steps[index_of(call.subtask)];
    expect(!step.is_done, "a subtask was done twice");
    (call.is_attempt ? step.is_attempted : step.is_done) = true;
    step.output_bytes = event.output_bytes;
  }
  ended(event.call, event.usage, true);
}

void Checker::ended(CallId id, const std::optional<Usage>& usage, bool is_billable) {
  Call& call = call_of(id);
  if (!call.is_known || (!call.is_running && !call.may_be_corrected)) return;
  touch(queries_[call.query].id);
  const bool was_running = call.is_running;
  if (was_running) leave(call);
  call.may_be_corrected = false;
  if (!was_running && !usage && is_billable) return;  // It says nothing new.
  book(call, usage ? amounts_of(call.endpoint, *usage) : is_billable ? call.worst : Amounts{});
}

// Until it says what it cost, the worst case stands in.
void Checker::cancelled(CallId id) {
  Call& call = call_of(id);
  expect(call.is_known && call.is_running, "a call that was over was cancelled");
  if (!call.is_known || !call.is_running) return;
  touch(queries_[call.query].id);
  leave(call);
  book(call, call.worst);
  call.may_be_corrected = true;
}

void Checker::leave(Call& call) {
  Truth& truth = queries_[call.query];
  call.is_running = false;
  --in_flight_[index_of(call.endpoint)];
  --truth.running;
  --(call.is_planner ? truth.planners : count_of(truth.calls, call.subtask));
  for_each_money(truth, [&](const Budget& /*limits*/, Money& money) {
    money.held -= call.worst;
    // As if it were refunded; what it cost is booked next.
    money.refunded += call.worst;
  });
}

void Checker::book(Call& call, const Amounts& actual) {
  for_each_money(queries_[call.query], [&](const Budget& /*limits*/, Money& money) {
    const auto add = [&](const Amounts& cost, std::int64_t sign) {
      const Amounts beyond{excess(cost.usd, call.worst.usd),
                           excess(cost.cloud_tokens, call.worst.cloud_tokens)};
      Amounts covered = cost;
      covered -= beyond;
      const auto scaled = [&](const Amounts& amounts) {
        return Amounts{amounts.usd * sign, amounts.cloud_tokens * sign};
      };
      money.spent += scaled(cost);
      money.settled += scaled(covered);
      money.refunded -= scaled(covered);
      money.beyond += scaled(beyond);
    };
    add(call.booked, -1);
    add(actual, 1);
  });
  call.booked = actual;
}

void Checker::finished(TimePoint now, const FinishQuery& command, const Scheduler& scheduler) {
  Truth& truth = touch(command.query);
  expect(!truth.is_over, "it was finished twice");
  truth.is_over = true;
  ++ended_;
  expect(truth.money.held == Amounts{}, "it is finished and holds money");
  expect(truth.running == 0, "it is finished and has a running call");
  expect(!truth.due || now <= *truth.due, "it was finished after its deadline");
  const RunRecord& record = scheduler.record(command.query);
  expect(record.outcome == command.outcome, "the record's outcome differs from the command's");
  for (const SubtaskRecord& subtask : record.subtasks) {
    expect(has_ended(subtask.state), "it is finished and has a subtask that has not ended");
  }
}

void Checker::jumped(TimePoint from, TimePoint to) {
  for (Truth& truth : queries_) {
    if (truth.due && *truth.due >= from) truth.due = std::max(*truth.due, to);
  }
}

void Checker::died() {
  for (const Truth& truth : queries_) {
    gone_.insert(truth.id);
    ended_ += truth.is_over ? 0 : 1;
  }
  queries_.clear();
  places_.clear();
  touched_.clear();
  calls_.clear();
  std::ranges::fill(in_flight_, 0U);
  payers_.clear();
  payers_[AccountId{}].limits = options_.process;
  at_.reset();
}

void Checker::check(TimePoint now, const Scheduler& scheduler) {
  now_ = now;
  const bool is_full = ++checks_ % kFullCheckEvery == 0;
  for (const std::uint32_t place : touched_) {
    Truth& truth = queries_[place];
    truth.is_touched = false;
    if (!is_full) check_query(truth, scheduler.record(truth.id));
  }
  touched_.clear();
  if (is_full) {
    for (Truth& truth : queries_) check_query(truth, scheduler.record(truth.id));
  }
  at_.reset();
  for (const auto& [id, payer] : payers_) check_limits(payer.limits, payer.money);
}

void Checker::check_query(Truth& truth, const RunRecord& record) {
  at_ = truth.id;
  check_limits(truth.budget, truth.money);
  check_money(truth, record);
  check_states(truth, record);
}

void Checker::check_money(const Truth& truth, const RunRecord& record) {
  const Money& money = truth.money;
  expect(record.budget_state.spent == money.spent, "the ledger's spent is wrong");
  expect(record.budget_state.held == money.held, "the ledger's held is wrong");
  Amounts given = money.settled;
  given += money.refunded;
  given += money.held;
  expect(given == money.reserved, "what was reserved is not settled, refunded or held");
  Amounts sum;
  for (const CallRecord& call : record.calls) {
    const Amounts cost = amounts_of(call.endpoint, call.usage);
    sum += cost;
    expect(cost.usd == call.usd, "a call's cost is wrong");
  }
  expect(sum == money.spent, "its calls do not add up to what is spent");
}

void Checker::check_states(Truth& truth, const RunRecord& record) {
  const std::size_t known = truth.states.size();
  truth.states.resize(record.subtasks.size());
  for (std::size_t i = 0; i < record.subtasks.size(); ++i) {
    const SubtaskState state = record.subtasks[i].state;
    const bool has_changed = i < known && state != truth.states[i];
    expect(!has_changed || !has_ended(truth.states[i]), "a subtask ended twice");
    expect(!has_ended(state) || i >= truth.calls.size() || truth.calls[i] == 0,
           "a subtask has ended and a call for it runs on");
    truth.states[i] = state;
  }
}

void Checker::check_limits(const Budget& limits, const Money& money) {
  expect(!limits.usd || money.spent.usd + money.held.usd <= *limits.usd + money.beyond.usd,
         "too many dollars");
  expect(!limits.cloud_tokens || money.spent.cloud_tokens + money.held.cloud_tokens <=
                                     *limits.cloud_tokens + money.beyond.cloud_tokens,
         "too many cloud tokens");
}

void Checker::check_end(const Scheduler& scheduler) {
  for (Truth& truth : queries_) {
    check_query(truth, scheduler.record(truth.id));
    expect(truth.is_over, "it never finished");
  }
  at_.reset();
  expect(arrived_ == ended_, "a query did not end exactly once");
  for (const auto& [id, payer] : payers_)
    expect(payer.money.held == Amounts{}, "money is held at the end");
}

}  // namespace hf::sim
