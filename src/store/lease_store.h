// Budgets that several processes share and that survive them: durable scopes, used through leases.
//
// A process takes a lease on a slice of a scope and of all scopes above it before it spends
// anything, and then reserves and settles in memory (ledger/) without touching the disk. Calls are
// journalled behind (journal.h). A lease whose owner died stays counted until somebody reconciles.
// This is the face for threads; what is in the file is said in ledger_file.h.
//
// Thread safety: full. A forked child must open its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/journal.h"
#include "store/lease_source.h"
#include "store/ledger_file.h"
#include "store/owner.h"

namespace hf::store {

class LeaseStore final : public LeaseSource {
 public:
  struct Options {
    std::filesystem::path path;
    std::function<std::int64_t()> clock;  // Seconds since 1970, for people; none writes 0.
    std::optional<Owner> owner = {};      // None: this process.
  };

  // Opens the store, making it if need be. A damaged, foreign, newer, read-only or full one is an
  // error and is left as it is.
  static Result<std::unique_ptr<LeaseStore>> open(Options options);

  // See LedgerFile.
  Result<void> define(const ScopeSpec& spec);
  Result<Report> report();
  Result<std::vector<Reconciled>> reconcile(Resolve resolve);

  // See LeaseSource.
  Result<Taken> take(std::string_view scope, const Amounts& wanted, const Amounts& least) override;
  Result<Taken> extend(LeaseId lease, const Amounts& wanted, const Amounts& least) override;
  Result<Amounts> left(std::string_view scope) override;
  Result<void> started(LeaseId lease, CallId call, const Amounts& worst) override {
    return journal_->started(lease, call, worst);
  }
  Result<void> settled(LeaseId lease, CallId call, const Amounts& actual) override {
    return journal_->settled(lease, call, actual);
  }
  Result<void> give_back(LeaseId lease) override { return journal_->give_back(lease); }

  // Gives back a part that is neither settled nor open.
  Result<void> give_back(LeaseId lease, const Amounts& part) {
    return journal_->give_back(lease, part);
  }

  // Waits until all that was said is durable.
  Result<void> flush() { return journal_->flush(); }

 private:
  LeaseStore(Owner owner, LedgerFile file) : owner_(std::move(owner)), file_(std::move(file)) {}

  // Enters what the file has given.
  Result<Taken> granted(Result<Taken> taken);
  // Makes a batch of the journal durable.
  Result<void> write(const Batch& batch);

  const Owner owner_;
  std::mutex mutex_;  // Of the file. The journal's is taken inside it, never the other way round.
  LedgerFile file_;
  std::unique_ptr<Journal> journal_;  // Last: its thread uses the rest.
};

}  // namespace hf::store
