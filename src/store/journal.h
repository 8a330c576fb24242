// The open leases of this process and what happened in them, written behind by a thread of its own.
//
// Callers say what started and what settled; the writer takes whatever has gathered and hands it
// over as one batch, so that many calls share one commit. What a crash could lose is bounded: the
// worst cases of calls that may run and are in no written batch never exceed the lease's window;
// `started` waits where they would.
//
// After a failed write nothing starts. Each further call asks for one more attempt, so spending
// goes on once the cause is gone, and nothing that was settled is lost meanwhile.
//
// Thread safety: full.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

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

class Journal {
 public:
  // Makes a batch durable, all of it or nothing. Called by the writer thread.
  using Write = std::function<Result<void>(const Batch&)>;

  static Result<std::unique_ptr<Journal>> create(Write write);
  // Writes what is left, unless the last attempt failed.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Adds to a lease what the store has granted; the first time opens it. `window` is all of it.
  void grant(LeaseId lease, const Amounts& amount, const Amounts& window);

  [[nodiscard]] bool is_open(LeaseId lease);

  // Nothing if the last write went well or one more attempt does; else why not.
  Result<void> healthy();

  // See LeaseStore, whose calls of the same names these are.
  Result<void> started(LeaseId lease, CallId call, const Amounts& worst);
  Result<void> settled(LeaseId lease, CallId call, const Amounts& actual);
  Result<void> give_back(LeaseId lease);
  Result<void> give_back(LeaseId lease, const Amounts& part);
  Result<void> flush();

 private:
  struct Lease {
    Amounts free;    // Neither settled nor open.
    Amounts window;  // Limit of `unwritten`.
    Amounts unwritten;
    std::map<CallId, Amounts> open;
  };
  using Lock = std::unique_lock<std::mutex>;

  explicit Journal(Write write) : write_(std::move(write)) {}
  void run();
  void finish(const Batch& batch, Result<void> result);
  Result<void> healthy(Lock& lock);
  Result<Lease*> find(LeaseId lease);
  // Takes the call out of the lease and into the next batch.
  Result<void> close(LeaseId lease, CallId call, const Amounts& actual, std::int64_t count);
  // Waits until all that has gathered is durable or a write fails.
  Result<void> write_out(Lock& lock);

  const Write write_;
  std::mutex mutex_;
  std::condition_variable work_;     // There is something to write, or it is time to stop.
  std::condition_variable outcome_;  // A batch was written, or could not be.
  std::map<LeaseId, Lease> leases_;
  Batch filling_;
  std::uint64_t filling_number_ = 1;
  std::uint64_t durable_number_ = 0;  // This batch and all before it.
  std::uint64_t attempts_ = 0;
  std::optional<Error> error_;  // Of the last attempt.
  bool retries_ = false;
  bool stops_ = false;
  std::thread writer_;
};

}  // namespace hf::store
