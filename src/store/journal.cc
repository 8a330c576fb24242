#include "store/journal.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

namespace hf::store {
namespace {

// A crash within it costs no more than one before it: what may be unwritten is bounded by money.
constexpr std::chrono::milliseconds kGatherTime{20};

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
    const auto may_write = [&] { return book_.has_gathered() && (!book_.error() || retries_); };
    work_.wait(lock, [&] { return may_write() || stops_; });
    if (!may_write()) return;
    is_gathering_ = true;
    work_.wait_for(lock, kGatherTime, [&] { return stops_ || retries_ || waiting_ > 0; });
    is_gathering_ = false;
    retries_ = false;
    const Batch batch = book_.take();
    lock.unlock();
    Result<void> result = write_(batch);
    lock.lock();
    book_.finish(batch, std::move(result));
    ++attempts_;
    outcome_.notify_all();
  }
}

void Journal::nudge() {
  if (!is_gathering_) work_.notify_one();
}

void Journal::wait(Lock& lock, const std::function<bool()>& holds) {
  ++waiting_;
  work_.notify_one();
  outcome_.wait(lock, holds);
  --waiting_;
}

void Journal::grant(LeaseId lease, const Amounts& amount, const Amounts& window) {
  const Lock lock(mutex_);
  book_.grant(lease, amount, window);
}

bool Journal::is_open(LeaseId lease) {
  const Lock lock(mutex_);
  return book_.is_open(lease);
}

Result<void> Journal::healthy() {
  Lock lock(mutex_);
  return healthy(lock);
}

Result<void> Journal::healthy(Lock& lock) {
  if (!book_.error()) return {};
  retries_ = true;
  work_.notify_one();
  const std::uint64_t seen = attempts_;
  wait(lock, [&] { return attempts_ != seen; });
  if (book_.error()) return std::unexpected(*book_.error());
  return {};
}

Result<void> Journal::started(LeaseId lease, CallId call, const Amounts& worst) {
  Lock lock(mutex_);
  HF_CHECK(healthy(lock));
  HF_TRY(const JournalBook::BatchNumber mine, book_.started(lease, call, worst));
  nudge();
  if (!book_.may_begin(lease, mine))
    wait(lock, [&] { return book_.may_begin(lease, mine) || book_.error(); });
  if (!book_.error() || book_.is_durable(mine)) return {};
  const Error error = *book_.error();
  book_.withdraw(lease, call);
  return std::unexpected(error);
}

Result<void> Journal::settled(LeaseId lease, CallId call, const Amounts& actual) {
  const Lock lock(mutex_);
  HF_CHECK(book_.settled(lease, call, actual));
  nudge();
  return {};
}

Result<void> Journal::write_out(Lock& lock) {
  const JournalBook::BatchNumber last = book_.last();
  HF_CHECK(healthy(lock));
  wait(lock, [&] { return book_.is_durable(last) || book_.error(); });
  if (book_.is_durable(last)) return {};
  return std::unexpected(*book_.error());
}

Result<void> Journal::give_back(LeaseId lease) {
  Lock lock(mutex_);
  HF_CHECK(book_.give_back(lease));
  return write_out(lock);
}

Result<void> Journal::give_back(LeaseId lease, const Amounts& part) {
  Lock lock(mutex_);
  HF_CHECK(book_.give_back(lease, part));
  return write_out(lock);
}

Result<void> Journal::flush() {
  Lock lock(mutex_);
  return write_out(lock);
}

}  // namespace hf::store
