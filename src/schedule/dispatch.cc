// From ready to running: in which order, where, and for how much at worst.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "schedule/impl.h"

namespace hf {

void Scheduler::Impl::make_ready(Query& query, std::uint32_t index) {
  SubtaskRecord& record = query.record.subtasks[index];
  record.state = SubtaskState::kReady;
  record.ready = now_ - query.arrived;
  enqueue(query, index);
}

// The queue that it is in.
ReadyQueue& Scheduler::Impl::queue_of(const Job& job) {
  if (job.waits_for_money) return unpaid_;
  return job.waits_for ? places_[index_of(*job.waits_for)].waiting : ready_;
}

Ready Scheduler::Impl::entry_of(Query& query, std::uint32_t index) {
  return {query.job(index).priority, query.arrival_order, index, &query};
}

void Scheduler::Impl::enqueue(Query& query, std::uint32_t index) {
  Job& job = query.job(index);
  HF_ASSERT(!job.is_queued && !job.call && !job.timer);
  job.is_queued = true;
  job.priority = priority_of(query, index);
  ++query.queued;
  is_drain_due_ = true;
  if (idle_entries_.empty()) {
    ready_.insert(entry_of(query, index));
    return;
  }
  idle_entries_.back().value() = entry_of(query, index);
  ready_.insert(std::move(idle_entries_.back()));
  idle_entries_.pop_back();
}

void Scheduler::Impl::dequeue(Query& query, std::uint32_t index) {
  Job& job = query.job(index);
  idle_entries_.push_back(queue_of(job).extract(entry_of(query, index)));
  HF_ASSERT(!idle_entries_.back().empty());
  job.is_queued = false;
  job.waits_for_money = false;
  job.waits_for.reset();
  --query.queued;
}

// A new node may lengthen the way to the answer from nodes that are queued already.
void Scheduler::Impl::reorder(Query& query) {
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    Job& job = query.nodes[i];
    if (!job.is_queued || job.priority == priority_of(query, i)) continue;
    ReadyQueue& queue = queue_of(job);
    auto entry = queue.extract(entry_of(query, i));
    job.priority = entry.value().priority = priority_of(query, i);
    queue.insert(std::move(entry));
  }
}

// Length of the path to the end of the query, in tokens.
std::int64_t Scheduler::Impl::priority_of(Query& query, std::uint32_t index) {
  if (index == kPlanJob) {
    return (options_.plan_max_tokens + options_.sink_max_tokens).count();
  }
  refresh_shape(query);
  return query.paths[index].tail;
}

// Tries, in their order, all jobs for which deciding (again) may give another answer than to wait.
void Scheduler::Impl::drain() {
  while (ReadyQueue* queue = next_queue()) {
    Query& query = *queue->begin()->query;
    const std::uint32_t index = queue->begin()->job;
    if (queue != &ready_) ready_.insert(queue->extract(queue->begin()));
    query.job(index).waits_for.reset();
    const Verdict verdict = index == kPlanJob ? try_planner(query) : try_node(query, index);
    if (verdict != Verdict::kWaits) continue;
    queue_of(query.job(index)).insert(ready_.extract(entry_of(query, index)));
  }
  is_drain_due_ = false;
}

// The queue whose first job comes first, of those that need not wait; null if all must.
ReadyQueue* Scheduler::Impl::next_queue() {
  if (std::exchange(unpaid_since_, settlements_) != settlements_) {
    for (const Ready& each : unpaid_) each.query->job(each.job).waits_for_money = false;
    ready_.merge(unpaid_);
  }
  ReadyQueue* next = ready_.empty() ? nullptr : &ready_;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    ReadyQueue& queue = places_[i].waiting;
    if (queue.empty() || is_blocked(static_cast<EndpointId>(i))) continue;
    if (next == nullptr || *queue.begin() < *next->begin()) next = &queue;
  }
  return next;
}

// Whoever has decided for it would wait again: its probe is out, or it is well and has no place.
bool Scheduler::Impl::is_blocked(EndpointId endpoint) const {
  const Breaker& breaker = places_[index_of(endpoint)].breaker;
  return breaker.is_probing() || (breaker.allows(now_) && is_busy(endpoint));
}

Duration Scheduler::Impl::rest_of(EndpointId endpoint) const {
  return std::max(places_[index_of(endpoint)].rest_until - now_, Duration(0));
}

// An endpoint that asked for a short rest counts as busy; one that asked for a longer is waited for
// only where there is no other.
bool Scheduler::Impl::is_usable(const Query& query, const Job& job, EndpointId endpoint) const {
  if (!is_well(query, job, endpoint)) return false;
  const Duration rest = rest_of(endpoint);
  if (rest <= options_.retry.cap) return true;
  if (rest > options_.retry.told_max) return false;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto other = static_cast<EndpointId>(i);
    if (rest_of(other) <= options_.retry.cap && is_well(query, job, other)) return false;
  }
  return true;
}

// Whether the query's own rules allow that endpoint.
bool Scheduler::Impl::may_use(const Query& query, EndpointId endpoint) const {
  if (query.is_local_only && !options_.endpoints[index_of(endpoint)].is_local) return false;
  return query.among.empty() || std::ranges::find(query.among, endpoint) != query.among.end();
}

bool Scheduler::Impl::is_well(const Query& query, const Job& job, EndpointId endpoint) const {
  if (!may_use(query, endpoint)) return false;
  if (!places_[index_of(endpoint)].breaker.allows(now_)) return false;
  if (!job.tries.empty() && job.tries[index_of(endpoint)] >= options_.retry.attempts_max)
    return false;
  return options_.fallback == Fallback::kOtherTier || !job.tier ||
         *job.tier == options_.endpoints[index_of(endpoint)].tier;
}

// An endpoint that may be usable in a moment: its probe is out.
std::optional<EndpointId> Scheduler::Impl::probed_endpoint(const Query& query,
                                                           const Job& job) const {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!may_use(query, static_cast<EndpointId>(i))) continue;
    const bool is_exhausted = !job.tries.empty() && job.tries[i] >= options_.retry.attempts_max;
    if (places_[i].breaker.is_probing() && !is_exhausted) return static_cast<EndpointId>(i);
  }
  return std::nullopt;
}

bool Scheduler::Impl::is_busy(EndpointId endpoint) const {
  const Place& place = places_[index_of(endpoint)];
  return place.in_flight >= place.concurrency.limit() || now_ < place.rest_until;
}

Scheduler::Impl::Verdict Scheduler::Impl::try_planner(Query& query) {
  Usage bound;
  bound.prompt = Tokens(std::int64_t{options_.plan_overhead_bytes} + query.question_bytes);
  bound.completion = options_.plan_max_tokens;

  bool is_any_usable = false;
  for (const EndpointId endpoint : planner_order_) {
    if (!is_usable(query, query.planner, endpoint)) continue;
    is_any_usable = true;
    const Usage worst = worst_at(endpoint, bound);
    if (!ledger_.fits(query.scope, amounts_of(endpoint, worst))) {
      if (!asks_for_budget(query, amounts_of(endpoint, worst))) continue;
      query.planner.waits_for_money = true;
      return Verdict::kWaits;
    }
    if (is_busy(endpoint)) {
      query.planner.waits_for = endpoint;
      return Verdict::kWaits;
    }
    dequeue(query, kPlanJob);
    start(query, kPlanJob,
          {.kind = CallKind::kPlanner,
           .prompt = query.is_replan ? Prompt::kReplan : Prompt::kPlan,
           .endpoint = endpoint,
           .worst = worst,
           .inputs = {},
           .priority = priority_of(query, kPlanJob)});
    return Verdict::kStarted;
  }
  if (is_any_usable) {
    go_whole(query, "budget: it does not allow making a plan; the question went out whole");
    return Verdict::kOver;
  }
  query.planner.waits_for = probed_endpoint(query, query.planner);
  if (query.planner.waits_for) return Verdict::kWaits;
  go_whole(query, fmt::format("plan: none could be made ({}); the question went out whole",
                              trouble_of(query, query.planner)));
  return Verdict::kOver;
}

Scheduler::Impl::Verdict Scheduler::Impl::try_node(Query& query, std::uint32_t index) {
  Node& node = query.nodes[index];
  RouteInput input = route_input(query, index);
  Usage bound = bound_of(query, index);
  collect(query, index, bound);
  if (candidates_.empty()) {
    node.waits_for = probed_endpoint(query, node);
    if (node.waits_for) return Verdict::kWaits;
    fail_node(query, index);
    return Verdict::kOver;
  }
  keep_timely(query, index);
  Decision decision = decide(query, index, input);
  const EndpointId wanted = decision.endpoint;
  const auto attempted = attempted_at(query, index);
  const Amounts asked = amounts_of(wanted, worst_at(wanted, bound));
  bool is_affordable = wanted == attempted || ledger_.fits(query.scope, asked);
  if (!is_affordable && asks_for_budget(query, asked)) {
    node.waits_for_money = true;
    return Verdict::kWaits;
  }
  if (!is_affordable) is_affordable = shorten(query, index, decision, bound);
  if (!is_affordable) {
    // What the policy wanted cannot be afforded: it chooses again from what can.
    const std::optional<Refusal> refusal = keep_affordable(query, index, bound);
    if (candidates_.empty()) {
      HF_ASSERT(refusal);
      // Nobody tells when what other processes hold is returned.
      if (refusal->may_fit_later() && is_any_held(query)) {
        node.waits_for_money = true;
        return Verdict::kWaits;
      }
      return give_up(query, index, *refusal);
    }
    decision = decide(query, index, input);
    decision.reason.append("; the budget refuses {}", options_.endpoints[index_of(wanted)].name);
  }
  const bool is_kept = decision.endpoint == attempted;
  if (!is_kept && is_busy(decision.endpoint)) {
    node.waits_for = decision.endpoint;
    return Verdict::kWaits;
  }
  const Tier wanted_tier = options_.endpoints[index_of(wanted)].tier;
  if (!is_affordable && wanted_tier != decision.tier && decision.tier == Tier::kEdge &&
      !node.is_move_noted) {
    node.is_move_noted = true;
    query.record.degraded.push_back(fmt::format("budget: {} ran on the edge", name_of(index)));
  }
  if (decision.action == Action::kRun && !std::exchange(node.is_settled, true))
    router_.settled(input, decision);
  note_decision(query, index, decision);
  if (is_kept) {
    keep_attempt(query, index);
    return Verdict::kOver;
  }
  start_node(query, index, decision, bound);
  return Verdict::kStarted;
}

// Asks the router where to run it, or what to do with the result of its attempt.
Decision Scheduler::Impl::decide(const Query& query, std::uint32_t index, RouteInput& input) {
  input.candidates = candidates_;
  const auto& attempt = query.record.subtasks[index].attempt;
  return attempt ? router_.review(input, *attempt) : router_.choose(input);
}

// Of decisions that repeat one another only the last is kept.
void Scheduler::Impl::note_decision(Query& query, std::uint32_t index, const Decision& decision) {
  SubtaskRecord& record = query.record.subtasks[index];
  if (record.attempt && record.decision->action == Action::kAttempt)
    record.earlier.push_back(*record.decision);
  Node& node = query.nodes[index];
  if (node.tier == Tier::kCloud && decision.tier == Tier::kEdge && !node.is_move_noted) {
    node.is_move_noted = true;
    query.record.degraded.push_back(
        fmt::format("fallback: {} ran on the edge: {}", name_of(index), node.trouble));
  }
  record.decision = decision;
}

Scheduler::Impl::Verdict Scheduler::Impl::give_up(Query& query, std::uint32_t index,
                                                  const Refusal& refusal) {
  const std::string words = words_of(refusal);
  if (query.is_sink(index)) {
    const Job& job = query.nodes[index];
    if (job.failures == 0) {
      query.record.refusal = refusal;
      finish(query, Outcome::kRefused, fmt::format("No answer can be paid for: {}.", words));
    } else {
      finish(query, Outcome::kUnavailable,
             fmt::format("No endpoint could answer: {}; and {}.", job.trouble, words));
    }
    return Verdict::kOver;
  }
  query.record.degraded.push_back(
      fmt::format("budget: {} was left out: {}", name_of(index), words));
  query.nodes[index].refusal = std::make_unique<Refusal>(refusal);
  end_node(query, index, SubtaskState::kSkipped, fmt::format("It cannot be paid for: {}.", words));
  release_dependants(query, index);
  return Verdict::kOver;
}

void Scheduler::Impl::start_node(Query& query, std::uint32_t index, const Decision& decision,
                                 const Usage& bound) {
  dequeue(query, index);
  SubtaskRecord& record = query.record.subtasks[index];
  record.state = SubtaskState::kRunning;
  if (record.attempts++ == 0) record.started = now_ - query.arrived;

  Start what;
  what.prompt = prompt_for(query, index);
  what.endpoint = decision.endpoint;
  what.worst = worst_at(decision.endpoint, bound);
  what.priority = priority_of(query, index);
  what.inputs = done_inputs(query, index);
  query.nodes[index].is_attempt = what.is_attempt = decision.action == Action::kAttempt;
  start(query, index, what);
  arm_hedge(query, index);
}

Prompt Scheduler::Impl::prompt_for(const Query& query, std::uint32_t index) {
  if (query.is_whole) return Prompt::kWhole;
  return query.is_sink(index) ? Prompt::kSink : Prompt::kSubtask;
}

SubtaskIds Scheduler::Impl::done_inputs(const Query& query, std::uint32_t index) const {
  SubtaskIds inputs;
  for (const SubtaskId id : query.graph[static_cast<SubtaskId>(index)].relies_on) {
    if (query.state(static_cast<std::uint32_t>(id)) == SubtaskState::kDone) inputs.push_back(id);
  }
  std::ranges::sort(inputs);
  return inputs;
}

void Scheduler::Impl::start(Query& query, std::uint32_t index, const Start& what) {
  HF_ASSERT(!query.is_over());
  Job& job = query.job(index);
  Place& place = places_[index_of(what.endpoint)];
  const Amounts worst = amounts_of(what.endpoint, what.worst);
  const auto reservation = ledger_.reserve(query.scope, worst);
  HF_ASSERT(reservation.has_value());
  const bool is_probe = place.breaker.is_open();
  place.breaker.started();
  ++place.in_flight;
  ++query.running;
  const bool is_hedge = what.kind == CallKind::kHedge;
  if (job.failures == 0 && !is_hedge) {
    query.retries.earn();
    place.retries.earn();
  }
  if (!job.tier) job.tier = options_.endpoints[index_of(what.endpoint)].tier;

  const auto id = static_cast<CallId>(next_call_++);
  (is_hedge ? job.hedge : job.call) = id;
  const Duration predicted =
      index == kPlanJob ? Duration(0) : place.speed.predicted(expected_of(query, index));
  calls_.insert(static_cast<std::uint64_t>(id),
                Call{.query = &query,
                     .job = index,
                     .record = static_cast<std::uint32_t>(query.record.calls.size()),
                     .endpoint = what.endpoint,
                     .is_probe = is_probe,
                     .is_cancelled = false,
                     .reservation = *reservation,
                     .worst = what.worst,
                     .predicted = predicted});
  CallRecord& record = query.record.calls.emplace_back();
  record.id = id;
  record.kind = what.kind;
  if (index != kPlanJob) record.subtask = static_cast<SubtaskId>(index);
  record.endpoint = what.endpoint;
  record.started = now_ - query.arrived;

  constexpr std::int64_t kHighest = std::numeric_limits<std::int32_t>::max();
  commands_->push_back(
      StartCall{.call = id,
                .query = query.id,
                .kind = what.kind,
                .prompt = what.prompt,
                .subtask = index == kPlanJob ? SubtaskId{} : static_cast<SubtaskId>(index),
                .endpoint = what.endpoint,
                .max_tokens = what.worst.completion,
                .inputs = what.inputs,
                .give_up = index != kPlanJob && query.is_sink(index) ? query.hard : query.soft,
                .priority = static_cast<std::int32_t>(std::min(what.priority, kHighest)),
                .is_attempt = what.is_attempt,
                .worst = worst,
                .lease = account(query.account)->lease});
}

}  // namespace hf
