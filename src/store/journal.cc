#include "store/journal.h"

#include <fmt/format.h>

#include <memory>
#include <system_error>
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

Result<std::unique_ptr<Journal>> Journal::create(Write write) {
  std::unique_ptr<Journal> journal(new Journal(std::move(write)));
  try {
    journal->writer_ = std::thread([raw = journal.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail(Code::kUnavailable,
                fmt::format("the ledger's writer thread did not start: {}", error.what()));
  }
  return journal;
}

Journal::~Journal() {
  {
    const Lock lock(mutex_);
    stops_ = true;
  }
  work_.notify_one();
  if (writer_.joinable()) writer_.join();
}

void Journal::run() {
  Lock lock(mutex_);
  for (;;) {
    const auto may_write = [&] { return !filling_.empty() && (!error_ || retries_); };
    work_.wait(lock, [&] { return may_write() || stops_; });
    if (!may_write()) return;
    retries_ = false;
    const Batch batch = std::exchange(filling_, {});
    ++filling_number_;
    lock.unlock();
    Result<void> result = write_(batch);
    lock.lock();
    finish(batch, std::move(result));
    outcome_.notify_all();
  }
}

void Journal::finish(const Batch& batch, Result<void> result) {
  ++attempts_;
  if (!result) {
    error_ = std::move(result).error();
    Batch both = batch;
    for (const auto& [lease, later] : filling_) append(both[lease], later);
    filling_ = std::move(both);
    return;
  }
  error_.reset();
  durable_number_ = filling_number_ - 1;
  for (const auto& [id, delta] : batch) {
    const auto lease = leases_.find(id);
    if (lease != leases_.end()) lease->second.unwritten -= delta.exposed;
  }
}

void Journal::grant(LeaseId id, const Amounts& amount, const Amounts& window) {
  const Lock lock(mutex_);
  Lease& lease = leases_[id];
  lease.free += amount;
  lease.window = window;
}

bool Journal::is_open(LeaseId lease) {
  const Lock lock(mutex_);
  return leases_.contains(lease);
}

Result<void> Journal::healthy() {
  Lock lock(mutex_);
  return healthy(lock);
}

Result<void> Journal::healthy(Lock& lock) {
  if (!error_) return {};
  retries_ = true;
  work_.notify_one();
  const std::uint64_t seen = attempts_;
  outcome_.wait(lock, [&] { return attempts_ != seen; });
  if (error_) return std::unexpected(*error_);
  return {};
}

Result<Journal::Lease*> Journal::find(LeaseId id) {
  const auto lease = leases_.find(id);
  if (lease != leases_.end()) return &lease->second;
  return fail(Code::kInvalidInput, fmt::format("lease {} is not open in this process; take one",
                                               std::to_underlying(id)));
}

Result<void> Journal::started(LeaseId id, CallId call, const Amounts& worst) {
  Lock lock(mutex_);
  HF_CHECK(healthy(lock));
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
  work_.notify_one();

  const std::uint64_t mine = filling_number_;
  outcome_.wait(lock, [&] {
    const auto now = leases_.find(id);
    return durable_number_ >= mine || error_ || now == leases_.end() ||
           within(now->second.unwritten, now->second.window);
  });
  if (!error_ || durable_number_ >= mine) return {};
  const Error error = *error_;
  // The call will not be made; what is known of it must not be charged.
  std::ignore = close(id, call, kNothing, 0);
  return std::unexpected(error);
}

Result<void> Journal::settled(LeaseId lease, CallId call, const Amounts& actual) {
  const Lock lock(mutex_);
  if (!is_amount(actual)) {
    return fail(Code::kInvalidInput, fmt::format("call {} cannot have cost less than nothing",
                                                 std::to_underlying(call)));
  }
  HF_CHECK(close(lease, call, actual, 1));
  work_.notify_one();
  return {};
}

Result<void> Journal::close(LeaseId id, CallId call, const Amounts& actual, std::int64_t count) {
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

Result<void> Journal::write_out(Lock& lock) {
  const std::uint64_t last = filling_.empty() ? filling_number_ - 1 : filling_number_;
  HF_CHECK(healthy(lock));
  work_.notify_one();
  outcome_.wait(lock, [&] { return durable_number_ >= last || error_; });
  if (durable_number_ >= last) return {};
  return std::unexpected(*error_);
}

Result<void> Journal::give_back(LeaseId id) {
  Lock lock(mutex_);
  HF_CHECK(find(id));
  leases_.erase(id);
  filling_[id].ends = true;
  return write_out(lock);
}

Result<void> Journal::give_back(LeaseId id, const Amounts& part) {
  Lock lock(mutex_);
  HF_TRY(Lease * lease, find(id));
  if (!is_amount(part) || !within(part, lease->free)) {
    return fail(Code::kInvalidInput, fmt::format("lease {} has less left than is to be given back",
                                                 std::to_underlying(id)));
  }
  lease->free -= part;
  filling_[id].returned += part;
  return write_out(lock);
}

Result<void> Journal::flush() {
  Lock lock(mutex_);
  return write_out(lock);
}

}  // namespace hf::store
