// From running to over: what a call cost, whether it is tried again, and what that makes of its
// job.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/rng.h"
#include "health/failure_rule.h"
#include "schedule/impl.h"

namespace hf {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(24);
constexpr std::string_view kAnswerCut =
    "length: the answer reached its cap of tokens and is cut off";

// More than this in one call is not believed; it keeps sums of costs far from overflow.
constexpr Tokens kMostBilled{100'000'000};

Usage believable(const Usage& usage) {
  Usage result;
  result.prompt = std::clamp(usage.prompt, Tokens(0), kMostBilled);
  result.cached = std::clamp(usage.cached, Tokens(0), result.prompt);
  result.completion = std::clamp(usage.completion, Tokens(0), kMostBilled);
  return result;
}

void add_detail(std::string& detail, std::string_view more) {
  if (!detail.empty()) detail += "; ";
  detail += more;
}

}  // namespace

CallRecord& Scheduler::Impl::record_of(const Call& call) {
  return call.query->record.calls[call.record];
}

void Scheduler::Impl::on(const CallFirstToken& event) {
  const Call* call = calls_.find(static_cast<std::uint64_t>(event.call));
  if (call == nullptr || call->is_cancelled) return;
  CallRecord& record = record_of(*call);
  if (record.first_token) return;
  record.first_token = now_ - call->query->arrived;
  places_[index_of(call->endpoint)].speed.saw_first_token(*record.first_token - record.started);
}

void Scheduler::Impl::on(const CallDone& event) {
  const auto id = static_cast<std::uint64_t>(event.call);
  Call* const found = calls_.find(id);
  if (found == nullptr) return;
  Call& call = *found;
  if (call.is_cancelled) return correct(call, event.usage, true);
  Query& query = *call.query;
  const std::uint32_t index = call.job;
  Place& place = places_[index_of(call.endpoint)];

  CallRecord& record = record_of(call);
  record.cut_by_length = event.cut_by_length;
  record.signals = event.signals;
  book(call, event.usage, true);
  place.concurrency.succeeded(place.in_flight);
  leave_place(call, CallStatus::kDone);
  place.breaker.succeeded();
  place.trouble.clear();
  place.hedge_delay.saw(call.predicted, record.finished - record.started);
  if (event.usage) {
    place.speed.saw_answer(record.finished - record.first_token.value_or(record.started),
                           event.usage->completion);
  }
  Job& job = query.job(index);
  const bool is_rival = job.hedge == event.call;
  if (is_rival) {
    std::swap(job.call, job.hedge);
    Decision& decision = *query.record.subtasks[index].decision;
    decision.endpoint = call.endpoint;
    decision.tier = options_.endpoints[index_of(call.endpoint)].tier;
    decision.action = Action::kRun;
    decision.reason.append("; it was late, and {} was quicker",
                           options_.endpoints[index_of(call.endpoint)].name);
  }
  job.call.reset();
  calls_.erase(id);
  cancel(job);

  if (index == kPlanJob) return;  // The end of the plan is told by PlanEnded.
  Node& node = query.nodes[index];
  node.output_bytes = event.output_bytes;
  if (node.is_attempt && !is_rival) return take_attempt(query, index, event);
  end_node(query, index, SubtaskState::kDone, "");
  if (query.is_sink(index)) {
    if (event.cut_by_length) note_cut_answer(query);
    return finish_answered(query);
  }
  release_dependants(query, index);
}

void Scheduler::Impl::note_cut_answer(Query& query) {
  query.record.degraded.emplace_back(kAnswerCut);
}

void Scheduler::Impl::on(const CallFailed& event) {
  const auto id = static_cast<std::uint64_t>(event.call);
  Call* const found = calls_.find(id);
  if (found == nullptr) return;
  Call& call = *found;
  if (call.is_cancelled) return correct(call, event.usage, event.billable);
  Query& query = *call.query;
  const std::uint32_t index = call.job;
  const EndpointId endpoint = call.endpoint;
  Job& job = query.job(index);
  Place& place = places_[index_of(endpoint)];

  CallRecord& record = record_of(call);
  record.failure = event.failure;
  record.detail = event.detail;
  job.trouble =
      fmt::format("{}: {}", options_.endpoints[index_of(endpoint)].name, words_of(event.failure));
  // Queries of others are told what is wrong with the endpoint, and nothing of this one's.
  place.trouble = job.trouble;
  if (!event.detail.empty()) job.trouble += fmt::format(" ({})", event.detail);
  book(call, event.usage, event.billable);
  leave_place(call, CallStatus::kFailed);
  place.breaker.failed(now_, event.failure);
  if (rule_of(event.failure).is_load)
    place.concurrency.overloaded(now_, query.arrived + record.started);
  ++job.failures;
  job.has_partial |= record.first_token && event.output_bytes > 0;
  calls_.erase(id);
  if (job.hedge) {
    // Its rival goes on alone.
    if (job.hedge != event.call) {
      job.call = job.hedge;
      if (index != kPlanJob) query.nodes[index].is_attempt = false;
    }
    job.hedge.reset();
    job.tries.resize(places_.size());
    ++job.tries[index_of(endpoint)];
    return;
  }
  job.call.reset();
  drop_timer(job.hedge_timer);

  if (index != kPlanJob) {
    query.record.subtasks[index].state = SubtaskState::kReady;
    return retry_or_move(query, index, endpoint, event.call, event.failure, event.retry_after);
  }
  // Whether there is anything to plan again is known only when the plan's end is.
  if (query.is_plan_open) {
    query.planner_failure = {endpoint, event.call, event.failure, event.retry_after};
  }
}

// A bill that comes after the call was cancelled replaces the worst case that stands in for it.
void Scheduler::Impl::correct(Call& call, const std::optional<Usage>& usage, bool is_billable) {
  CallRecord& record = record_of(call);
  if (usage || !is_billable) {
    const Amounts booked = amounts_of(call.endpoint, record.usage);
    record.usage = usage ? believable(*usage) : Usage{};
    record.usage_estimated = false;
    const Amounts actual = amounts_of(call.endpoint, record.usage);
    ledger_.rebook(call.query->scope, booked, actual);
    if (const auto lease = account(call.query->account)->lease)
      correct_lease(*lease, call, booked, actual);
    record.usd = actual.usd;
    ++settlements_;
    is_drain_due_ = true;
  }
  calls_.erase(static_cast<std::uint64_t>(record.id));
}

// The holder of a lease has closed its book of the call: what would come back stays booked there,
// and so here; what is more is booked there, too.
void Scheduler::Impl::correct_lease(AccountId lease, const Call& call, Amounts booked,
                                    Amounts actual) {
  const Amounts most{std::max(booked.usd, actual.usd),
                     std::max(booked.cloud_tokens, actual.cloud_tokens)};
  ledger_.rebook(account(lease)->scope, actual, most);
  Amounts more = most;
  more -= booked;
  if (more != Amounts{}) commands_->push_back(Booked{lease, record_of(call).id, more});
}

void Scheduler::Impl::book(Call& call, const std::optional<Usage>& usage, bool is_billable) {
  CallRecord& record = record_of(call);
  const bool is_free = amounts_of(call.endpoint, call.worst) == Amounts{};
  if (usage) {
    record.usage = believable(*usage);
  } else if (is_billable) {
    if (!is_free) record.usage = call.worst;
    record.usage_estimated = true;
  }
  const Amounts booked = amounts_of(call.endpoint, record.usage);
  record.usd = booked.usd;
  if (const auto lease = account(call.query->account)->lease)
    commands_->push_back(Booked{*lease, record.id, booked});
  if (ledger_.settle(call.reservation, booked).overrun) {
    add_detail(record.detail, "overrun: it reported more than it was allowed to use");
  }
}

// The call is over as far as its endpoint's places and everybody who waits for one are concerned.
void Scheduler::Impl::leave_place(Call& call, CallStatus status) {
  CallRecord& record = record_of(call);
  record.status = status;
  record.finished = now_ - call.query->arrived;
  if (status == CallStatus::kDone && record.usage_estimated) {
    add_detail(record.detail, "it reported no usage");
  }
  --places_[index_of(call.endpoint)].in_flight;
  --call.query->running;
  ++settlements_;
  is_drain_due_ = true;
}

// It cannot be known what a cancelled call will be billed, so the worst case is booked at once. The
// call stays known until its query is forgotten: a later CallDone or CallFailed corrects the
// amount.
void Scheduler::Impl::cancel(Job& job) {
  cancel_call(job.call);
  cancel_call(job.hedge);
  drop_timer(job.hedge_timer);
}

void Scheduler::Impl::cancel_call(std::optional<CallId>& running) {
  if (!running) return;
  Call& call = calls_.at(static_cast<std::uint64_t>(*running));
  commands_->push_back(CancelCall{*running});
  running.reset();
  call.is_cancelled = true;
  book(call, std::nullopt, true);
  leave_place(call, CallStatus::kCancelled);
  if (call.is_probe) places_[index_of(call.endpoint)].breaker.abandoned();
}

void Scheduler::Impl::retry_or_move(Query& query, std::uint32_t index, EndpointId endpoint,
                                    CallId call, Failure failure,
                                    std::optional<Duration> retry_after) {
  Job& job = query.job(index);
  job.tries.resize(places_.size());
  std::uint32_t& tries = job.tries[index_of(endpoint)];
  ++tries;
  if (retry_after) rest(endpoint, std::clamp(*retry_after, Duration(0), kLongestWait));
  if (rule_of(failure).retry_here && tries < options_.retry.attempts_max) {
    const Duration wait = retry_after
                              ? rest_of(endpoint)
                              : backoff(options_.retry, tries,
                                        mix(query.seed ^ mix(static_cast<std::uint64_t>(call))));
    if (may_retry(query, index, endpoint, wait)) {
      if (retry_after || wait == Duration(0)) return enqueue(query, index);
      job.timer = set_timer(query, now_ + wait);
      return;
    }
  }
  tries = options_.retry.attempts_max;  // Not there again; the queue finds where, or that nowhere.
  enqueue(query, index);
}

// Nothing goes there before the wait is over, whoever wants to.
void Scheduler::Impl::rest(EndpointId endpoint, Duration wait) {
  Place& place = places_[index_of(endpoint)];
  if (now_ + wait <= place.rest_until) return;
  place.rest_until = now_ + wait;
  const std::uint64_t timer = next_timer_++;
  timers_.insert(timer, nullptr);
  commands_->push_back(SetTimer{timer, place.rest_until});
}

bool Scheduler::Impl::may_retry(Query& query, std::uint32_t index, EndpointId endpoint,
                                Duration wait) {
  const auto& until = index != kPlanJob && query.is_sink(index) ? query.hard : query.soft;
  if (until && now_ + wait >= *until) return false;
  const auto last = last_moment(query, index, endpoint);
  if (last && now_ + wait > *last) return false;
  if (!is_usable(query, query.job(index), endpoint)) return false;
  if (!may_start_again(query, endpoint)) return false;
  count_again(query, endpoint);
  return true;
}

// Why nobody does a job: its own last failure, or that of the endpoints that are left alone.
std::string Scheduler::Impl::trouble_of(const Query& query, const Job& job) const {
  if (!job.trouble.empty()) return job.trouble;
  std::string all;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!may_use(query, static_cast<EndpointId>(i))) continue;
    if (!places_[i].trouble.empty()) add_detail(all, places_[i].trouble);
  }
  if (!all.empty()) return all;
  return query.is_local_only ? "it must stay local, and no local endpoint is usable now"
                             : "no endpoint is usable now";
}

// Every way of doing it has failed.
void Scheduler::Impl::fail_node(Query& query, std::uint32_t index) {
  const std::string trouble = trouble_of(query, query.nodes[index]);
  if (query.is_sink(index)) {
    end_node(query, index, SubtaskState::kFailed, trouble);
    return finish(query, Outcome::kUnavailable,
                  fmt::format("No endpoint could answer: {}.", trouble));
  }
  query.record.degraded.push_back(fmt::format("{} failed: {}", name_of(index), trouble));
  end_node(query, index, SubtaskState::kFailed, trouble);
  release_dependants(query, index);
}

void Scheduler::Impl::end_node(Query& query, std::uint32_t index, SubtaskState state,
                               std::string why) {
  HF_ASSERT(is_terminal(state) && !is_terminal(query.state(index)));
  Node& node = query.nodes[index];
  cancel(node);
  if (node.is_queued) dequeue(query, index);
  drop_timer(node.timer);
  SubtaskRecord& record = query.record.subtasks[index];
  record.state = state;
  record.finished = now_ - query.arrived;
  record.why_not_done = std::move(why);
  query.work_done += expected_of(query, index);
}

void Scheduler::Impl::release_dependants(Query& query, std::uint32_t index) {
  for (const SubtaskId id : query.graph.dependants(static_cast<SubtaskId>(index))) {
    const auto next = static_cast<std::uint32_t>(id);
    if (is_terminal(query.state(next))) continue;
    if (--query.nodes[next].inputs_left == 0) make_ready(query, next);
  }
}

}  // namespace hf
