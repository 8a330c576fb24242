// A durable budget in a world: the file of the real store, in memory, that outlives the processes
// which spend from it, and the purse and the journal of the one that lives.
//
// The world decides when a batch is written and when the process dies; every change is shown to a
// checker (store_checker.h). Thread safety: none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "schedule/event.h"
#include "sim/store_checker.h"
#include "store/journal_book.h"
#include "store/ledger_file.h"
#include "store/purse.h"

namespace hf::sim {

class DurableBudget final : private store::LeaseSource {
 public:
  // Lets time pass until a batch is written; false: the process dies first.
  using Wait = std::function<bool()>;

  // `scopes`: each but the first is below the one before; queries spend from the last.
  DurableBudget(const std::vector<store::ScopeSpec>& scopes, Wait wait);
  DurableBudget(const DurableBudget&) = delete;  // Its purse points to it.
  DurableBudget& operator=(const DurableBudget&) = delete;
  ~DurableBudget() override = default;

  // A process begins: it opens the file as it is.
  void begin();
  // It is gone with all that was not written. `is_written`: the batch under way came through.
  void die(bool is_written);
  // It ends in good order, and somebody reconciles what others left behind.
  void end();

  // See store::Purse.
  BudgetChanged want(const Amounts& needed);
  Result<void> start(CallId call, const Amounts& worst) { return purse_->started(call, worst); }
  void book(CallId call, const Amounts& cost);
  // A call goes out, and its endpoint will charge so much.
  void sent(CallId call, const Amounts& charge);

  // Takes a batch to write, if there is something and no other is being written.
  bool begin_write();
  // The batch is written.
  void write();

  // Resolves the leases of the processes that died.
  void reconcile();

  // After every event. Returns the rules that were broken since the last time.
  std::vector<std::string> check();
  // What the innermost scope has spent.
  [[nodiscard]] Amounts spent();

 private:
  Result<store::Taken> take(std::string_view scope, const Amounts& wanted,
                            const Amounts& least) override;
  Result<store::Taken> extend(store::LeaseId lease, const Amounts& wanted,
                              const Amounts& least) override;
  Result<Amounts> left(std::string_view scope) override { return file_.left(scope); }
  Result<void> started(store::LeaseId lease, CallId call, const Amounts& worst) override;
  Result<void> settled(store::LeaseId lease, CallId call, const Amounts& actual) override;
  Result<void> give_back(store::LeaseId lease) override;

  Result<store::Taken> granted(Result<store::Taken> taken);
  // The file is in memory: nothing it does can fail.
  template <class Value>
  void must(const Result<Value>& result) {
    if (!result) violations_.push_back("the store fails: " + result.error().message);
  }

  const std::string scope_;
  const Wait wait_;
  store::LedgerFile file_;  // What is on the disk.
  StoreChecker checker_;
  store::Owner owner_;  // The process that lives, or the last one.
  bool is_alive_ = false;
  std::optional<store::JournalBook> journal_;
  std::optional<store::Purse> purse_;
  std::optional<store::Batch> being_written_;
  bool has_changed_ = true;  // Since the last check.
  std::vector<std::string> violations_;
};

}  // namespace hf::sim
