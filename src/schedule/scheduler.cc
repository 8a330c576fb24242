#include "schedule/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "schedule/impl.h"

namespace hf {
namespace {

// Longer deadlines are cut to this, which keeps every sum of times far from overflow.
constexpr Duration kLongestDeadline = std::chrono::hours(24 * 365);

}  // namespace

Scheduler::Scheduler(Options options, Router& router)
    : impl_(std::make_unique<Impl>(std::move(options), router)) {}

Scheduler::~Scheduler() = default;

void Scheduler::step(TimePoint now, const Event& event, std::vector<Command>& commands) {
  impl_->step(now, event, commands);
}

const RunRecord& Scheduler::record(QueryId query) const {
  return impl_->record(query);
}

std::optional<BudgetState> Scheduler::account_state(AccountId account) const {
  return impl_->account_state(account);
}

void Scheduler::forget(QueryId query) {
  impl_->forget(query);
}

Scheduler::Impl::Impl(Options options, Router& router)
    : options_(std::move(options)), router_(router) {
  const auto& endpoints = options_.endpoints;
  HF_ASSERT(!endpoints.empty() && index_of(options_.planner) < endpoints.size());
  constexpr AccountId kProcess{};
  Account process{.scope = ledger_.open(std::string(kProcessScope), std::nullopt, options_.process),
                  .name = std::string(kProcessScope)};
  if (options_.is_process_leased) process.lease = kProcess;
  accounts_.insert(index_of(kProcess), std::move(process));
  for (const Endpoint& endpoint : endpoints)
    places_.emplace_back(options_.breaker, endpoint.max_in_flight);

  const Tier first = endpoints[index_of(options_.planner)].tier;
  planner_order_.push_back(options_.planner);
  for (const bool is_same_tier : {true, false}) {
    if (!is_same_tier && options_.fallback == Fallback::kNone) break;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const auto id = static_cast<EndpointId>(i);
      if (id == options_.planner || (endpoints[i].tier == first) != is_same_tier) continue;
      planner_order_.push_back(id);
    }
  }
}

void Scheduler::Impl::step(TimePoint now, const Event& event, std::vector<Command>& commands) {
  HF_ASSERT(now >= now_);
  now_ = now;
  commands_ = &commands;
  std::visit([this](const auto& each) { on(each); }, event);
  if (is_drain_due_) drain();
  commands_ = nullptr;
}

const RunRecord& Scheduler::Impl::record(QueryId id) {
  Query& query = *queries_.at(static_cast<std::uint64_t>(id));
  query.record.budget_state = ledger_.state(query.scope);
  return query.record;
}

void Scheduler::Impl::forget(QueryId id) {
  std::unique_ptr<Query>& query = queries_.at(static_cast<std::uint64_t>(id));
  HF_ASSERT(query->is_over());
  for (const CallRecord& call : query->record.calls) {
    if (call.status == CallStatus::kCancelled) calls_.erase(static_cast<std::uint64_t>(call.id));
  }
  ledger_.close(query->scope);
  leave_account(query->account);
  renew(*query);
  idle_queries_.push_back(std::move(query));
  queries_.erase(static_cast<std::uint64_t>(id));
}

Query* Scheduler::Impl::running_query(QueryId id) {
  const auto* const found = queries_.find(static_cast<std::uint64_t>(id));
  return found == nullptr || (*found)->is_over() ? nullptr : found->get();
}

void Scheduler::Impl::on(const QueryArrived& event) {
  if (idle_queries_.empty()) idle_queries_.push_back(std::make_unique<Query>());
  Query& query = *idle_queries_.back();
  queries_.insert(static_cast<std::uint64_t>(event.query), std::move(idle_queries_.back()));
  idle_queries_.pop_back();
  query.id = event.query;
  query.arrival_order = ++arrivals_;
  query.arrived = now_;
  Account* const payer = account(event.account);
  const bool is_paid_for = payer != nullptr && !payer->is_closed;
  query.account = is_paid_for ? event.account : AccountId{};
  Account& paying = *account(query.account);
  ++paying.users;
  query.scope = ledger_.open("query", paying.scope, event.budget);
  query.seed = event.seed;
  query.question_bytes = event.question_bytes;
  query.features = event.features;
  query.is_plan_given = event.plan_given;
  query.is_local_only = event.local_only;
  query.among = event.among;
  query.is_forwarded = event.is_forwarded;
  query.is_cap_fixed = event.is_cap_fixed;
  query.answer_tokens_max = event.answer_tokens.value_or(options_.sink_max_tokens);
  if (!event.is_forwarded)
    query.answer_tokens_max = std::min(query.answer_tokens_max, options_.sink_max_tokens);
  query.record.query = event.query;
  query.record.budget = event.budget;

  if (++running_queries_ > options_.queries_max) {
    return finish(
        query, Outcome::kUnavailable,
        fmt::format("All {} places for queries are taken; try again later.", options_.queries_max));
  }
  if (!is_paid_for) {
    return finish(query, Outcome::kRefused, "Who is to pay for it is not known, or not any more.");
  }
  if (event.budget.deadline) {
    const Duration deadline = std::min(*event.budget.deadline, kLongestDeadline);
    if (deadline <= Duration(0)) return on_hard_deadline(query);
    query.hard = now_ + deadline;
    query.hard_timer = set_timer(query, *query.hard);
    if (event.plan) {
      // The answer gets a fifth of the time, more if it is known to need more, at most half.
      Duration answer{};
      for (const Place& place : places_) {
        const Duration predicted = place.speed.predicted(query.answer_tokens_max);
        if (predicted == Duration(0)) continue;
        answer = answer == Duration(0) ? predicted : std::min(answer, predicted);
      }
      query.soft = *query.hard - std::clamp(answer, deadline / 5, deadline / 2);
      query.soft_timer = set_timer(query, *query.soft);
    }
  }
  if (!event.plan) return go_whole(query, "");
  query.is_plan_open = true;
  if (!event.plan_given) enqueue(query, kPlanJob);
}

void Scheduler::Impl::on(const TimerFired& event) {
  Query* const* const found = timers_.find(event.timer);
  if (found == nullptr) return;
  Query* const owner = *found;
  timers_.erase(event.timer);
  if (owner == nullptr) {  // An endpoint's rest is over.
    is_drain_due_ = true;
    return;
  }
  Query& query = *owner;
  if (query.hard_timer == event.timer) {
    query.hard_timer.reset();
    return on_hard_deadline(query);
  }
  if (query.soft_timer == event.timer) {
    query.soft_timer.reset();
    return on_soft_deadline(query);
  }
  // Otherwise it is the end of a job's back-off, or its call is late.
  const auto wake = [&](std::uint32_t index) {
    Job& job = query.job(index);
    if (job.timer == event.timer) {
      job.timer.reset();
      enqueue(query, index);
    } else if (job.hedge_timer == event.timer) {
      job.hedge_timer.reset();
      hedge(query, index);
    }
  };
  wake(kPlanJob);
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) wake(i);
}

void Scheduler::Impl::on(const CancelAsked& event) {
  if (Query* query = running_query(event.query)) {
    finish(*query, Outcome::kCancelled, "The query was cancelled.");
  }
}

void Scheduler::Impl::on_soft_deadline(Query& query) {
  if (query.is_whole) return;
  if (query.is_plan_open) {
    return go_whole(query,
                    "deadline: the plan was not complete in time; the question went out whole");
  }
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    if (query.is_sink(i) || is_terminal(query.state(i))) continue;
    if (attempted_at(query, i)) {
      keep_attempt_in_time(query, i);
      continue;
    }
    query.record.degraded.push_back(fmt::format("deadline: {} was left out", name_of(i)));
    end_node(query, i, SubtaskState::kSkipped, "The time that was left is kept for the answer.");
    release_dependants(query, i);
  }
}

void Scheduler::Impl::on_hard_deadline(Query& query) {
  bool has_answer_begun = false;
  if (query.record.sink) {
    const auto index = static_cast<std::uint32_t>(*query.record.sink);
    if (attempted_at(query, index)) return keep_attempt_in_time(query, index);
    const Job& sink = query.nodes[index];
    has_answer_begun = sink.has_partial;
    for (const auto& call : {sink.call, sink.hedge}) {
      has_answer_begun |=
          call && record_of(calls_.at(static_cast<std::uint64_t>(*call))).first_token.has_value();
    }
  }
  if (has_answer_begun) {
    query.record.degraded.emplace_back("deadline: the answer is cut off");
    return finish(query, Outcome::kDegraded, "");
  }
  finish(query, Outcome::kDeadline,
         fmt::format("The deadline of {} passed before there was an answer.",
                     seconds(*query.record.budget.deadline)));
}

std::uint64_t Scheduler::Impl::set_timer(Query& query, TimePoint at) {
  const std::uint64_t timer = next_timer_++;
  timers_.insert(timer, &query);
  commands_->push_back(SetTimer{timer, at});
  return timer;
}

void Scheduler::Impl::drop_timer(std::optional<std::uint64_t>& timer) {
  if (timer) timers_.erase(*timer);
  timer.reset();
}

void Scheduler::Impl::finish(Query& query, Outcome outcome, std::string trouble) {
  cancel(query.planner);
  if (query.planner.is_queued) dequeue(query, kPlanJob);
  drop_timer(query.planner.timer);
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    if (is_terminal(query.state(i))) continue;
    end_node(query, i, SubtaskState::kSkipped, "The query ended before it was done.");
  }
  drop_timer(query.soft_timer);
  drop_timer(query.hard_timer);
  --running_queries_;

  query.record.outcome = outcome;
  query.record.trouble = std::move(trouble);
  query.record.wall = now_ - query.arrived;
  query.is_plan_open = false;
  HF_ASSERT(query.running == 0 && query.queued == 0);
  HF_ASSERT(ledger_.state(query.scope).held == Amounts{});
  commands_->push_back(FinishQuery{query.id, outcome});
}

void Scheduler::Impl::finish_answered(Query& query) {
  finish(query, query.record.degraded.empty() ? Outcome::kAnswered : Outcome::kDegraded, "");
}

}  // namespace hf
