// The books of this process's leases (journal_book.h), written behind by a thread of its own.
//
// Callers say what started and what settled; the writer takes whatever has gathered and hands it
// over as one batch, so that many calls share one commit: it gathers for a moment, unless somebody
// waits. `started` waits while too much would be unwritten.
//
// After a failed write nothing starts. Each further call asks for one more attempt, so spending
// goes on once the cause is gone, and nothing that was settled is lost meanwhile.
//
// Thread safety: full.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/journal_book.h"

namespace hf::store {

class Journal {
 public:
  // Makes a batch durable, all of it or nothing. Called by the writer thread.
  using Write = std::function<Result<void>(const Batch&)>;

  static Result<std::unique_ptr<Journal>> create(Write write);
  // Writes what is left, unless the last attempt failed.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // See JournalBook.
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
  using Lock = std::unique_lock<std::mutex>;

  explicit Journal(Write write) : write_(std::move(write)) {}
  void run();
  Result<void> healthy(Lock& lock);
  // Tells the writer, unless it is up already and gathers.
  void nudge();
  // Waits for outcomes until `holds`; nothing more is gathered meanwhile.
  void wait(Lock& lock, const std::function<bool()>& holds);
  // Waits until all that has gathered is durable or a write fails.
  Result<void> write_out(Lock& lock);

  const Write write_;
  std::mutex mutex_;
  std::condition_variable work_;     // There is something to write, or it is time to stop.
  std::condition_variable outcome_;  // A batch was written, or could not be.
  JournalBook book_;
  std::uint64_t attempts_ = 0;
  std::uint32_t waiting_ = 0;  // Callers that wait for a write.
  bool is_gathering_ = false;
  bool retries_ = false;
  bool stops_ = false;
  std::thread writer_;
};

}  // namespace hf::store
