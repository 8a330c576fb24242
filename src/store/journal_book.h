// The books of a journal: what started and what settled in the open leases of one process, what of
// it waits to be written, and what may begin meanwhile.
//
// Nothing happens here by itself: whoever keeps the books also writes the batches, when they like.
// A thread does in the live program (journal.h), a virtual clock in the simulator.
//
// Batches are numbered. What a crash could lose is bounded: the worst cases of calls that may run
// and are in no written batch never exceed their lease's window. Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"

namespace hf::store {

enum class LeaseId : std::int64_t {};

// What happened in one lease since the last batch. A call that started and settled in between
// leaves only its cost.
struct Delta {
  std::map<CallId, Amounts> opened;  // With their worst cases.
  std::map<CallId, Amounts> closed;  // Opened in an earlier batch; with their worst cases.
  std::int64_t calls_settled = 0;
  Amounts settled;
  Amounts grown;     // Billed beyond the lease: it grows by that, whatever the limits say.
  Amounts returned;  // Given back by a lease that goes on.
  Amounts exposed;   // Worst cases of all calls started here.
  bool ends = false;
};
using Batch = std::map<LeaseId, Delta>;

class JournalBook {
 public:
  using BatchNumber = std::uint64_t;

  // Adds to a lease what the store has granted; the first time opens it. `window` is all of it.
  void grant(LeaseId lease, const Amounts& amount, const Amounts& window);
  [[nodiscard]] bool is_open(LeaseId lease) const { return leases_.contains(lease); }

  // Enters a call and says in which batch; it begins once `may_begin` says so. Refused: one that
  // does not fit into the lease, or is open already.
  Result<BatchNumber> started(LeaseId lease, CallId call, const Amounts& worst);
  // Whether little enough is unwritten, or the call itself is in the file.
  [[nodiscard]] bool may_begin(LeaseId lease, BatchNumber entered) const;
  // A call that was entered will never be made: nothing is charged for it.
  void withdraw(LeaseId lease, CallId call);

  Result<void> settled(LeaseId lease, CallId call, const Amounts& actual);
  Result<void> give_back(LeaseId lease);
  Result<void> give_back(LeaseId lease, const Amounts& part);

  // Once this batch is durable, all that was said so far is.
  [[nodiscard]] BatchNumber last() const { return filling_.empty() ? number_ - 1 : number_; }
  [[nodiscard]] bool is_durable(BatchNumber batch) const { return durable_ >= batch; }

  // ---- the writer's side: one batch at a time, taken, written and finished ----

  [[nodiscard]] bool has_gathered() const { return !filling_.empty(); }
  [[nodiscard]] Batch take();
  // Of the batch that was taken. What could not be written goes into the next one.
  void finish(const Batch& batch, Result<void> result);
  // Of the last attempt; nothing after one that went well.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  struct Lease {
    Amounts free;    // Neither settled nor open.
    Amounts window;  // Limit of `unwritten`.
    Amounts unwritten;
    std::map<CallId, Amounts> open;
  };

  Result<Lease*> find(LeaseId lease);
  // Takes the call out of the lease and into the next batch.
  Result<void> close(LeaseId lease, CallId call, const Amounts& actual, std::int64_t count);

  std::map<LeaseId, Lease> leases_;
  Batch filling_;
  BatchNumber number_ = 1;   // Of the batch that is filling.
  BatchNumber durable_ = 0;  // This batch and all before it.
  std::optional<Error> error_;
};

}  // namespace hf::store
