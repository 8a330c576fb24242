#include "sim/world.h"

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "graph/graph.h"
#include "sim/scripted.h"
#include "sim/world_impl.h"

namespace hf::sim {
namespace {

WorldSpec complete(WorldSpec spec) {
  HF_ASSERT(!spec.lease || !spec.ledger);
  spec.options.endpoints.clear();
  for (const EndpointScript& each : spec.endpoints) {
    spec.options.endpoints.push_back(each.endpoint);
    // Worlds know no other machines than the cloud's.
    spec.options.endpoints.back().is_local = each.endpoint.tier == Tier::kEdge;
  }
  if (spec.lease) {
    spec.options.is_process_leased = true;
    spec.options.process = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
    if (!spec.lease->total.usd) spec.options.process.usd.reset();
    if (!spec.lease->total.cloud_tokens) spec.options.process.cloud_tokens.reset();
  }
  if (spec.ledger) {
    spec.options.is_process_leased = true;
    spec.options.process = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
  }
  return spec;
}

}  // namespace

World::Impl::Impl(WorldSpec spec, Trace trace)
    : spec_(complete(std::move(spec))), trace_mode_(trace), checker_(spec_.options) {
  if (!spec_.behaviour) spec_.behaviour = std::make_shared<Scripted>(spec_);
  down_until_.resize(spec_.endpoints.size());
  leased_ = spec_.options.process;
  if (spec_.ledger) {
    ledger_ =
        std::make_unique<DurableBudget>(spec_.ledger->scopes, [this] { return wait_for_disk(); });
  }
}

std::string World::Impl::run() {
  begin();
  while (!due_.empty()) {
    if (++events_ > spec_.events_max) {
      checker_.complain("the world does not come to an end");
      break;
    }
    next();
  }
  checker_.check_end(*scheduler_);
  if (ledger_) end_ledger();
  for (const Query& query : queries_) {
    if (query.life == 0) continue;
    const Amounts& spent = record(query.script->id).budget_state.spent;
    digest_.add(spent.usd.count());
    digest_.add(spent.cloud_tokens.count());
  }
  return std::move(trace_);
}

void World::Impl::begin() {
  happen(Begin{});
  queries_.resize(spec_.queries.size());
  unfinished_ = queries_.size();
  for (std::size_t i = 0; i < queries_.size(); ++i) queries_[i].script = &spec_.queries[i];
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    const auto& after = spec_.queries[i].after;
    if (after) {
      query_of(*after).followers.push_back(i);
    } else {
      come(i);
    }
  }
  for (std::size_t i = 0; i < spec_.endpoints.size(); ++i) {
    const auto endpoint = static_cast<EndpointId>(i);
    if (const auto outage = spec_.behaviour->next_outage(endpoint)) {
      post(outage->after, Crash{endpoint, outage->down});
    }
  }
  if (const auto jump = spec_.behaviour->next_jump()) post(jump->after, *jump);
}

void World::Impl::come(std::size_t place) {
  const QueryScript& script = *queries_[place].script;
  post(script.at, QueryArrived{.query = script.id,
                               .budget = script.budget,
                               .plan = script.plan,
                               .plan_given = script.plan_given,
                               .local_only = script.local_only,
                               .question_bytes = script.question_bytes,
                               .features = script.features,
                               .seed = script.seed,
                               .account = script.account});
  if (script.cancel_at) post(*script.cancel_at, CancelAsked{script.id});
}

void World::Impl::post(Duration wait, Happening what, std::optional<CallId> of) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const std::uint32_t life = is_of_process(what) ? static_cast<std::uint32_t>(lives_.size()) : 0;
  pending_[slot] = {std::move(what), of, of ? calls_[index_of(*of)].turn : 0, life};
  due_.push_back({now_ + wait, sequence_++, slot});
  std::ranges::push_heap(due_, std::greater<>());
}

void World::Impl::next() {
  std::ranges::pop_heap(due_, std::greater<>());
  const Due due = due_.back();
  due_.pop_back();
  free_slots_.push_back(due.slot);
  const Pending pending = std::move(pending_[due.slot]);
  if (is_stale(pending)) return;
  now_ = std::max(due.at, floor_);
  if (const auto* event = std::get_if<Event>(&pending.what)) {
    const bool is_plan_end = std::holds_alternative<PlanEnded>(*event);
    if (is_plan_end && pending.of) calls_[index_of(*pending.of)].is_plan_told = true;
    // Who comes while the process is down tries again until it is up.
    if (is_down_) return post(up_at_ - now_, *event);
    deliver(*event);
    while (leased_more_) deliver(*std::exchange(leased_more_, std::nullopt));
    return;
  }
  if (unfinished_ == 0 && !std::holds_alternative<Begin>(pending.what)) return;
  std::visit(
      [this](const auto& each) {
        if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(each)>, Event>) happen(each);
      },
      pending.what);
  if (ledger_) check_ledger();
}

// What comes from outside comes to whichever process lives; the rest ends with its process.
bool World::Impl::is_of_process(const Happening& what) {
  const auto* event = std::get_if<Event>(&what);
  if (event == nullptr) {
    return std::holds_alternative<Death>(what) || std::holds_alternative<Written>(what);
  }
  return !std::holds_alternative<QueryArrived>(*event) &&
         !std::holds_alternative<CancelAsked>(*event);
}

bool World::Impl::is_stale(const Pending& pending) const {
  if (pending.life != 0 && (pending.life != lives_.size() || is_down_)) return true;
  if (const auto* event = std::get_if<Event>(&pending.what)) {
    const auto* cancel = std::get_if<CancelAsked>(event);
    const std::uint32_t life = cancel == nullptr ? 0 : queries_[place_of(cancel->query)].life;
    if (life != 0 && life != lives_.size()) return true;
  }
  if (!pending.of) return false;
  const Call& call = calls_[index_of(*pending.of)];
  if (call.turn != pending.turn) return true;
  const auto* event = std::get_if<Event>(&pending.what);
  const bool is_end =
      std::holds_alternative<CallDone>(*event) || std::holds_alternative<CallFailed>(*event);
  // The live driver closes the connection of a call that it cancels: it hears of no bill. A ledger
  // could not book it either.
  return call.stage == Stage::kCancelled && (!is_end || ledger_ != nullptr);
}

void World::Impl::deliver(const Event& event) {
  // While the process waits for its disk, time goes on.
  const TimePoint now = now_;
  note(event);
  digest_.add(now_);
  digest_.add(event);
  commands_.clear();
  checker_.saw(now_, event);
  scheduler_->step(now_, event, commands_);
  if (trace_mode_ == Trace::kText) tell(event, !commands_.empty());
  if (const auto* done = std::get_if<CallDone>(&event)) note_end(done->call, done);
  if (const auto* failed = std::get_if<CallFailed>(&event)) note_end(failed->call, nullptr);
  for (const Command& command : commands_) {
    if (is_doomed_ && death_->commands-- == 0) is_dying_ = true;
    if (is_dying_) break;
    digest_.add(command);
    checker_.saw(now, command, *scheduler_);
    std::visit([this](const auto& each) { carry_out(each); }, command);
    if (trace_mode_ == Trace::kText && !is_dying_) tell(command);
  }
  if (is_dying_) return die();
  checker_.check(now, *scheduler_);
  if (now_ > now) checker_.jumped(now, now_);
  if (ledger_) {
    begin_write();
    check_ledger();
  }
  const auto* arrived = std::get_if<QueryArrived>(&event);
  if (arrived != nullptr && arrived->plan_given) {
    Query& query = query_of(arrived->query);
    query.plan = &query.script->plans.front();
    play_steps(query, std::nullopt, Duration(0), std::nullopt);
    const PlanScript& plan = *query.plan;
    post(plan.end, PlanEnded{arrived->query, plan.outcome, plan.sink, plan.pruned});
  }
}

void World::Impl::note(const Event& event) {
  if (const auto* arrived = std::get_if<QueryArrived>(&event)) {
    query_of(arrived->query).life = static_cast<std::uint32_t>(lives_.size());
  }
  if (const auto* step = std::get_if<StepParsed>(&event)) ++query_of(step->query).released;
  if (std::holds_alternative<CancelAsked>(event)) count(Fault::kCancel);
}

// What a call left behind, and that nothing but its bill is still to come.
void World::Impl::note_end(CallId id, const CallDone* done) {
  Call& call = calls_[index_of(id)];
  if (call.stage == Stage::kOver) return count(Fault::kDuplicate);
  if (call.stage == Stage::kCancelled) {
    return count(call.course.ends_though_cancelled ? Fault::kLate : Fault::kLateBill);
  }
  call.stage = Stage::kOver;
  count(call.course.fault);
  count(call.course.usage_fault);
  if (done == nullptr || call.start.kind == CallKind::kPlanner) return;
  std::vector<Output>& outputs = query_of(call.start.query).outputs;
  const std::size_t subtask = index_of(call.start.subtask);
  if (subtask >= outputs.size()) outputs.resize(subtask + 1);
  outputs[subtask] = {done->output_bytes, call.course.is_right};
}

void World::Impl::happen(const Crash& crash) {
  if (trace_mode_ == Trace::kText) {
    say("crash " + spec_.endpoints[index_of(crash.endpoint)].endpoint.name);
  }
  down_until_[index_of(crash.endpoint)] = now_ + crash.down;
  const bool is_engine = spec_.endpoints[index_of(crash.endpoint)].endpoint.tier == Tier::kEdge;
  for (Call& call : calls_) {
    if (call.stage != Stage::kRunning || call.start.endpoint != crash.endpoint) continue;
    ++call.turn;
    call.course.failure = is_engine ? Failure::kEngineLost : Failure::kCut;
    call.course.is_billable = true;
    call.course.told.reset();
    call.course.retry_after.reset();
    call.course.again.reset();
    call.course.fault = Fault::kCrash;
    post(Duration(0), end_of(call), call.start.call);
    if (call.start.kind == CallKind::kPlanner && !call.is_plan_told) {
      const Query& query = query_of(call.start.query);
      post_plan_end(query, query.released, Duration(0), call.start.call);
    }
  }
  if (const auto outage = spec_.behaviour->next_outage(crash.endpoint)) {
    post(crash.down + outage->after, Crash{crash.endpoint, outage->down});
  }
}

void World::Impl::happen(const ClockJump& jump) {
  if (trace_mode_ == Trace::kText) say("the clock jumps");
  count(Fault::kClockJump);
  floor_ = now_ + jump.by;
  checker_.jumped(now_, floor_);
  if (const auto next = spec_.behaviour->next_jump()) post(jump.by + next->after, *next);
}

std::size_t World::Impl::place_of(QueryId id) const {
  // Ids count up from 1 wherever nobody chose them.
  const std::size_t guess = index_of(id) - 1;
  if (guess < spec_.queries.size() && spec_.queries[guess].id == id) return guess;
  const auto found = std::ranges::find(spec_.queries, id, &QueryScript::id);
  HF_ASSERT(found != spec_.queries.end());
  return static_cast<std::size_t>(found - spec_.queries.begin());
}

World::World(WorldSpec spec, Trace trace) : impl_(std::make_unique<Impl>(std::move(spec), trace)) {}
World::~World() = default;
std::string World::run() {
  return impl_->run();
}
std::span<const std::string> World::violations() const {
  return impl_->checker().violations();
}
std::uint64_t World::hash() const {
  return impl_->hash();
}
std::uint64_t World::events() const {
  return impl_->events();
}
TimePoint World::end() const {
  return impl_->end();
}
const FaultCounts& World::faults() const {
  return impl_->faults();
}
const RunRecord& World::record(QueryId query) const {
  return impl_->record(query);
}
const WorldSpec& World::spec() const {
  return impl_->spec();
}
bool World::has_arrived(QueryId query) const {
  return impl_->has_arrived(query);
}
bool World::is_lost(QueryId query) const {
  return impl_->is_lost(query);
}
bool World::is_right(QueryId query) const {
  return impl_->is_right(query);
}

}  // namespace hf::sim
