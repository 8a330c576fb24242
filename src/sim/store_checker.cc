#include "sim/store_checker.h"

#include <algorithm>
#include <utility>

#include "store/amounts.h"

namespace hf::sim {

using store::kNothing;
using store::larger;
using store::minus;
using store::smaller;
using store::within;

namespace {

constexpr std::int64_t kWindowShare = 4;

Amounts excess(const Amounts& amounts, const Amounts& covered) {
  return larger(minus(amounts, covered), kNothing);
}

bool is_within(const Amounts& amounts, const Budget& limits, const Amounts& beyond) {
  return (!limits.usd || amounts.usd <= *limits.usd + beyond.usd) &&
         (!limits.cloud_tokens ||
          amounts.cloud_tokens <= *limits.cloud_tokens + beyond.cloud_tokens);
}

}  // namespace

StoreChecker::Lease* StoreChecker::find(store::LeaseId id) {
  const auto found = std::ranges::find(leases_, id, &Lease::id);
  return found == leases_.end() ? nullptr : &*found;
}

StoreChecker::Call* StoreChecker::find(CallId id) {
  if (!is_alive_) return nullptr;
  std::vector<Call>& calls = leases_.back().calls;
  const auto found = std::ranges::find(calls, id, &Call::id);
  return found == calls.end() ? nullptr : &*found;
}

void StoreChecker::granted(store::LeaseId id, const Amounts& amount) {
  Lease* lease = find(id);
  if (lease == nullptr) {
    expect(!is_alive_, "a process took two leases of one scope");
    lease = &leases_.emplace_back();
    lease->id = id;
    is_alive_ = true;
  }
  expect(!lease->is_dead && !lease->is_over, "a lease that is over grew");
  lease->granted += amount;
}

void StoreChecker::entered(CallId id, const Amounts& worst) {
  if (!is_alive_) return expect(false, "a call is to be paid and there is no lease");
  leases_.back().calls.push_back({.id = id, .worst = worst, .charge = {}, .cost = {}});
}

void StoreChecker::sent(CallId id, const Amounts& charge) {
  Call* call = find(id);
  if (call == nullptr) return expect(charge == kNothing, "a call that costs was not journalled");
  call->is_sent = true;
  call->charge = charge;
}

void StoreChecker::booked(CallId id, const Amounts& cost) {
  Call* call = find(id);
  if (call == nullptr || call->end != Stage::kUntold) return;
  call->cost = cost;
  call->end = Stage::kTold;
}

void StoreChecker::given_back() {
  if (is_alive_) leases_.back().giving_back = Stage::kTold;
}

void StoreChecker::died() {
  if (!is_alive_) return;
  each_stage([](Stage& stage) {
    if (stage == Stage::kTold) stage = Stage::kLost;
  });
  Lease& lease = leases_.back();
  lease.is_dead = !lease.is_over;
  is_alive_ = false;
}

template <class Change>
void StoreChecker::each_stage(const Change& change) {
  if (!is_alive_) return;
  for (Call& call : leases_.back().calls) {
    change(call.entry);
    change(call.end);
  }
  change(leases_.back().giving_back);
}

void StoreChecker::write_began() {
  each_stage([](Stage& stage) {
    if (stage == Stage::kTold) stage = Stage::kBeingWritten;
  });
}

void StoreChecker::write_ended(bool is_durable) {
  each_stage([&](Stage& stage) {
    if (stage == Stage::kBeingWritten) stage = is_durable ? Stage::kDurable : Stage::kTold;
  });
  if (!is_alive_ || leases_.back().giving_back != Stage::kDurable) return;
  Lease& lease = leases_.back();
  lease.is_over = true;
  lease.booked_at_end = sums_of(lease).open;
}

StoreChecker::Sums StoreChecker::sums_of(const Lease& lease) {
  Sums sums;
  for (const Call& call : lease.calls) {
    const bool has_ended = call.end == Stage::kDurable;
    const Amounts owed =
        smaller(call.charge, has_ended ? larger(call.worst, call.cost) : call.worst);
    sums.owed += owed;
    if (has_ended) {
      sums.settled += call.cost;
      sums.beyond += excess(call.cost, call.worst);
      continue;
    }
    sums.unresolved += owed;
    if (call.entry == Stage::kDurable) {
      sums.open += call.worst;
    } else if (call.is_sent) {
      sums.unwritten += call.worst;
    }
  }
  return sums;
}

void StoreChecker::reconciled(std::span<const store::Reconciled> resolved) {
  for (const store::Reconciled& each : resolved) {
    Lease* lease = find(static_cast<store::LeaseId>(each.was.lease.id));
    if (lease == nullptr || !lease->is_dead || lease->is_over) {
      expect(false, "a lease was reconciled that is not a dead process's");
      continue;
    }
    const Sums sums = sums_of(*lease);
    const Amounts left = minus(lease->granted, sums.settled);
    expect(within(left, each.was.lease.left), "a part of a lease is lost");
    expect(store::plus(each.booked, each.returned) == each.was.lease.left,
           "what is booked and returned is not what was left of the lease");
    expect(
        each.booked == smaller(each.was.lease.left, store::plus(sums.open, each.was.lease.window)),
        "what is booked is not the worst cases of the open calls and the window");
    expect(within(sums.unresolved, each.booked), "what may have been charged was not booked");
    lease->is_over = true;
    lease->booked_at_end = each.booked;
  }
  expect(std::ranges::none_of(leases_, [](const Lease& l) { return l.is_dead && !l.is_over; }),
         "a dead process's lease was not reconciled");
}

void StoreChecker::check(const store::Report& report) {
  Amounts leased;
  for (const store::LeaseReport& each : report.leases) {
    const Lease* lease = find(static_cast<store::LeaseId>(each.lease.id));
    if (lease == nullptr || lease->is_over) {
      expect(false, "there is a lease that nobody has");
      continue;
    }
    check_lease(each.lease, *lease);
    leased += each.lease.left;
  }
  Sums all;
  std::size_t open = 0;
  for (const Lease& lease : leases_) {
    const Sums sums = sums_of(lease);
    all.owed += sums.owed;
    all.beyond += sums.beyond;
    all.settled += sums.settled;
    all.settled += lease.booked_at_end;
    if (!lease.is_over) ++open;
  }
  expect(open == report.leases.size(), "a lease is gone");
  expect(report.scopes.size() == scopes_.size(), "a scope is gone");
  for (const store::ScopeRow& row : report.scopes) check_scope(row, all, leased);
}

void StoreChecker::check_lease(const store::LeaseRow& row, const Lease& lease) {
  const Sums sums = sums_of(lease);
  expect(row.settled == sums.settled, "the file's settled is not what was written");
  expect(row.open == sums.open, "the file's open calls are not those that were written");
  expect(within(sums.owed, store::plus(row.settled, row.left)), "a lease does not cover its calls");
  expect(within(sums.unwritten, row.window), "more is unwritten than the window");
  expect(row.window.usd * kWindowShare <= lease.granted.usd &&
             row.window.cloud_tokens * kWindowShare <= lease.granted.cloud_tokens,
         "a window is larger than a quarter of its lease");
  const Amounts left = minus(lease.granted, sums.settled);
  expect(within(left, row.left) && within(row.left, store::plus(left, sums.beyond)),
         "what is left of a lease is not what was given and not settled");
}

void StoreChecker::check_scope(const store::ScopeRow& row, const Sums& sums,
                               const Amounts& leased) {
  const auto spec = std::ranges::find(scopes_, row.name, &store::ScopeSpec::name);
  if (spec == scopes_.end()) return expect(false, "there is a scope that nobody made");
  const Amounts counted = store::plus(row.spent, row.leased);
  expect(within(sums.owed, counted), "more was charged than the ledger counts");
  expect(is_within(counted, spec->limits, sums.beyond), "a durable scope is over its limit");
  expect(row.spent == sums.settled, "a scope has not spent what its leases settled");
  expect(row.leased == leased, "a scope has not leased what its leases have left");
}

void StoreChecker::check_end(const store::Report& report) {
  check(report);
  expect(report.leases.empty(), "a lease is open at the end");
}

std::vector<std::string> StoreChecker::take_violations() {
  return std::exchange(violations_, {});
}

}  // namespace hf::sim
