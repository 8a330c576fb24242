#include "store/journal_book.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

#include "store/amounts.h"

namespace hf::store {
namespace {

void close_in(Delta& delta, CallId call, const Amounts& worst) {
  if (delta.opened.erase(call) == 0) delta.closed.emplace(call, worst);
}

// `later` happened after `delta`.
void append(Delta& delta, const Delta& later) {
  for (const auto& [call, worst] : later.closed) close_in(delta, call, worst);
  delta.opened.insert(later.opened.begin(), later.opened.end());
  delta.calls_settled += later.calls_settled;
  delta.settled = plus(delta.settled, later.settled);
  delta.grown = plus(delta.grown, later.grown);
  delta.returned += later.returned;
  delta.exposed += later.exposed;
  delta.ends = delta.ends || later.ends;
}

}  // namespace

void JournalBook::grant(LeaseId id, const Amounts& amount, const Amounts& window) {
  Lease& lease = leases_[id];
  lease.free += amount;
  lease.window = window;
}

Result<JournalBook::Lease*> JournalBook::find(LeaseId id) {
  const auto lease = leases_.find(id);
  if (lease != leases_.end()) return &lease->second;
  return fail(Code::kInvalidInput, fmt::format("lease {} is not open in this process; take one",
                                               std::to_underlying(id)));
}

Result<JournalBook::BatchNumber> JournalBook::started(LeaseId id, CallId call,
                                                      const Amounts& worst) {
  HF_TRY(Lease * lease, find(id));
  if (!is_amount(worst) || !within(worst, lease->free)) {
    return fail(Code::kOverBudget,
                fmt::format("call {} does not fit into what is left of lease {}; extend the lease",
                            std::to_underlying(call), std::to_underlying(id)));
  }
  if (!lease->open.emplace(call, worst).second) {
    return fail(Code::kInvalidInput, fmt::format("call {} is open already; give each its own id",
                                                 std::to_underlying(call)));
  }
  lease->free -= worst;
  lease->unwritten += worst;
  Delta& delta = filling_[id];
  delta.exposed += worst;
  // A call that was closed in the same batch may come again: its row stays.
  delta.opened.emplace(call, worst);
  return number_;
}

bool JournalBook::may_begin(LeaseId id, BatchNumber entered) const {
  const auto lease = leases_.find(id);
  return is_durable(entered) || lease == leases_.end() ||
         within(lease->second.unwritten, lease->second.window);
}

void JournalBook::withdraw(LeaseId lease, CallId call) {
  std::ignore = close(lease, call, kNothing, 0);
}

Result<void> JournalBook::settled(LeaseId lease, CallId call, const Amounts& actual) {
  if (!is_amount(actual)) {
    return fail(Code::kInvalidInput, fmt::format("call {} cannot have cost less than nothing",
                                                 std::to_underlying(call)));
  }
  return close(lease, call, actual, 1);
}

Result<void> JournalBook::close(LeaseId id, CallId call, const Amounts& actual,
                                std::int64_t count) {
  HF_TRY(Lease * lease, find(id));
  const auto open = lease->open.find(call);
  if (open == lease->open.end()) {
    return fail(Code::kInvalidInput,
                fmt::format("call {} is not open in lease {}; settle each call once",
                            std::to_underlying(call), std::to_underlying(id)));
  }
  const Amounts worst = open->second;
  lease->open.erase(open);
  lease->free += worst;
  lease->free -= actual;
  const Amounts grown = larger(kNothing, minus(kNothing, lease->free));
  lease->free += grown;

  Delta& delta = filling_[id];
  close_in(delta, call, worst);
  delta.calls_settled += count;
  delta.settled = plus(delta.settled, actual);
  delta.grown = plus(delta.grown, grown);
  return {};
}

Result<void> JournalBook::give_back(LeaseId id) {
  HF_CHECK(find(id));
  leases_.erase(id);
  filling_[id].ends = true;
  return {};
}

Result<void> JournalBook::give_back(LeaseId id, const Amounts& part) {
  HF_TRY(Lease * lease, find(id));
  if (!is_amount(part) || !within(part, lease->free)) {
    return fail(Code::kInvalidInput, fmt::format("lease {} has less left than is to be given back",
                                                 std::to_underlying(id)));
  }
  lease->free -= part;
  filling_[id].returned += part;
  return {};
}

Batch JournalBook::take() {
  ++number_;
  return std::exchange(filling_, {});
}

void JournalBook::finish(const Batch& batch, Result<void> result) {
  if (!result) {
    error_ = std::move(result).error();
    Batch both = batch;
    for (const auto& [lease, later] : filling_) append(both[lease], later);
    filling_ = std::move(both);
    return;
  }
  error_.reset();
  durable_ = number_ - 1;
  for (const auto& [id, delta] : batch) {
    const auto lease = leases_.find(id);
    if (lease != leases_.end()) lease->second.unwritten -= delta.exposed;
  }
}

}  // namespace hf::store
