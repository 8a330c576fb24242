// A process that dies and comes back, and the disk that it leaves its durable budget on.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/rng.h"
#include "sim/world_impl.h"

namespace hf::sim {

void World::Impl::happen(const Begin& /*begin*/) {
  auto router = make_router(spec_.policy, spec_.policy_options);
  HF_ASSERT(router.has_value());
  Life& life = lives_.emplace_back(Life{.router = std::move(*router), .scheduler = nullptr});
  life.scheduler = std::make_unique<Scheduler>(spec_.options, *life.router);
  scheduler_ = life.scheduler.get();
  is_down_ = false;
  for (std::size_t i = 0; i < spec_.accounts.size(); ++i) {
    deliver(AccountOpened{.account = AccountId(static_cast<std::uint32_t>(i + 1)),
                          .name = fmt::format("account {}", i + 1),
                          .limits = spec_.accounts[i].limits,
                          .parent = spec_.accounts[i].parent});
  }
  if (!ledger_) return;
  if (lives_.size() > 1 && trace_mode_ == Trace::kText) say("the process is back");
  ledger_->begin();
  death_ = spec_.behaviour->next_death();
  if (!death_) return;
  dies_at_ = now_ + death_->after;
  post(death_->after, *death_);
}

void World::Impl::happen(const Death& death) {
  if (death.commands == 0) return die();
  is_doomed_ = true;
}

void World::Impl::die() {
  const Death death = *std::exchange(death_, std::nullopt);
  if (trace_mode_ == Trace::kText) say("the process dies");
  count(Fault::kProcessCrash);
  digest_.add(now_);
  is_doomed_ = false;
  is_dying_ = false;
  is_down_ = true;
  leased_more_.reset();
  up_at_ = now_ + death.down;
  ledger_->die(death.is_written);
  checker_.died();
  calls_.clear();
  post(death.down, Begin{});
  post(death.down + death.reconcile, Reconcile{});
  const std::size_t queries = queries_.size();
  for (std::size_t i = 0; i < queries; ++i) {
    if (queries_[i].life == lives_.size() && !queries_[i].is_over) lose(i);
  }
  check_ledger();
}

// Its client sees a broken connection, and may ask again.
void World::Impl::lose(std::size_t place) {
  Query& query = queries_[place];
  const QueryId id = query.script->id;
  if (trace_mode_ == Trace::kText) say(fmt::format("lost {}", static_cast<std::uint64_t>(id)));
  query.is_lost = true;
  query.is_over = true;
  --unfinished_;
  end_ = now_;
  for (const std::size_t follower : query.followers) come(follower);
  const auto wait = spec_.behaviour->asks_again(id);
  if (!wait) return;
  QueryScript again = *query.script;
  const auto by_id = [](const QueryScript& script) { return script.id; };
  const auto last = static_cast<std::uint64_t>(std::ranges::max(spec_.queries, {}, by_id).id);
  again.id = static_cast<QueryId>(last + 1);
  again.at = *wait;
  again.after.reset();
  again.cancel_at.reset();
  again.seed = mix(again.seed);
  spec_.queries.push_back(std::move(again));
  queries_.emplace_back();
  // They may have moved.
  for (std::size_t i = 0; i < queries_.size(); ++i) queries_[i].script = &spec_.queries[i];
  ++unfinished_;
  come(queries_.size() - 1);
}

void World::Impl::happen(const Written& written) {
  if (written.number != writes_) return;
  ledger_->write();
  begin_write();
}

void World::Impl::happen(const Reconcile& /*reconcile*/) {
  if (trace_mode_ == Trace::kText) say("reconcile");
  ledger_->reconcile();
}

// The writer takes what has gathered, unless it is busy.
void World::Impl::begin_write() {
  if (!ledger_->begin_write()) return;
  const Duration time = spec_.behaviour->write_time();
  written_at_ = now_ + time;
  post(time, Written{++writes_});
}

// The process stands still, unless it dies first.
bool World::Impl::wait_until(TimePoint time) {
  is_dying_ = death_ && !is_doomed_ && dies_at_ <= time;
  now_ = std::max(now_, is_dying_ ? dies_at_ : time);
  floor_ = std::max(floor_, now_);
  return !is_dying_;
}

bool World::Impl::wait_for_disk() {
  begin_write();
  if (!wait_until(written_at_)) return false;
  ++writes_;  // The event that says so comes late.
  ledger_->write();
  return true;
}

// The live driver takes a lease between two events, and waits for the disk.
void World::Impl::lease(const Amounts& needed) {
  const bool is_alive = wait_until(now_ + spec_.behaviour->write_time());
  if (is_alive || death_->is_written) leased_more_ = ledger_->want(needed);
}

void World::Impl::check_ledger() {
  for (const std::string& rule : ledger_->check()) checker_.complain(rule);
}

void World::Impl::end_ledger() {
  ledger_->end();
  check_ledger();
  const Amounts spent = ledger_->spent();
  digest_.add(spent.usd.count());
  digest_.add(spent.cloud_tokens.count());
}

}  // namespace hf::sim
