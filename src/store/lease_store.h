// Budgets that several processes share and that survive them: durable scopes, used through leases.
//
// A process takes a lease on a slice of a scope and of all scopes above it before it spends
// anything, and then reserves and settles in memory (ledger/) without touching the disk. Calls are
// journalled behind (journal.h). A lease whose owner died stays counted until somebody reconciles.
//
// What always holds in the file, in every scope: spent + leased <= limit, unless an endpoint billed
// more than was reserved or a limit was lowered; and spent + leased >= what was billed.
//
// Thread safety: full. A forked child must open its own.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/journal.h"
#include "store/owner.h"
#include "store/rows.h"
#include "store/sqlite.h"

namespace hf::store {

struct ScopeSpec {
  std::string name;                   // "process", "key:alice"; unique in the store.
  std::optional<std::string> parent;  // Defined before.
  Budget limits;                      // A deadline is no matter of the store.
};

struct Lease {
  LeaseId id{};
  Amounts amount;  // What was given now.
  Amounts window;  // What may be under way unwritten, of the whole lease.
};

// The lease, or a typed "no"; where the store itself fails, an Error around it.
using Taken = std::expected<Lease, Refusal>;

struct LeaseReport {
  LeaseRow lease;
  std::string scope = {};
  OwnerState owner_state = OwnerState::kAlive;
  std::vector<CallRow> calls = {};  // Open ones.
};

struct Report {
  std::vector<ScopeRow> scopes;
  std::vector<LeaseReport> leases;
};

struct Reconciled {
  LeaseReport was;
  Amounts booked;    // As spent now, on top of what had been settled.
  Amounts returned;  // To the scopes.
};

enum class Resolve : std::uint8_t {
  kDead,              // Leases of processes that have ended.
  kDeadAndElsewhere,  // And of other containers: only if it is known that they have ended too.
};

class LeaseStore {
 public:
  struct Options {
    std::filesystem::path path;
    std::function<std::int64_t()> clock;  // Seconds since 1970, for people; none writes 0.
    std::optional<Owner> owner = {};      // None: this process.
  };

  // Opens the store, making it if need be. A damaged, foreign, newer, read-only or full one is an
  // error and is left as it is.
  static Result<std::unique_ptr<LeaseStore>> open(Options options);

  // Makes a scope or sets the limits of an existing one, also below what is spent. Its parent
  // never changes.
  Result<void> define(const ScopeSpec& spec);

  // Gives `wanted` from a scope and all above it, or what is left if that is at least `least`, on
  // each axis by itself; durable when it returns. The refusal is the innermost scope's.
  Result<Taken> take(std::string_view scope, const Amounts& wanted, const Amounts& least);

  // The same for a lease of this store: it grows. So one lease serves a scope as long as a process
  // needs it, and the worst case of a call is never cut between two.
  Result<Taken> extend(LeaseId lease, const Amounts& wanted, const Amounts& least);

  // What the tightest of a scope and those above it has left, for `slice`. Not negative.
  Result<Amounts> left(std::string_view scope);

  // A call may begin when this returns nothing; it waits if too much would be unwritten. Refused:
  // a call that does not fit into the lease, one that is open already, a store that cannot write.
  Result<void> started(LeaseId lease, CallId call, const Amounts& worst) {
    return journal_->started(lease, call, worst);
  }

  // What a call cost; never waits. More than its worst case is booked in full: the lease grows.
  Result<void> settled(LeaseId lease, CallId call, const Amounts& actual) {
    return journal_->settled(lease, call, actual);
  }

  // Ends a lease: calls still open are booked at their worst, the rest is free for others. After an
  // error it is ended by the next write that succeeds.
  Result<void> give_back(LeaseId lease) { return journal_->give_back(lease); }

  // Gives back a part that is neither settled nor open.
  Result<void> give_back(LeaseId lease, const Amounts& part) {
    return journal_->give_back(lease, part);
  }

  // Waits until all that was said is durable.
  Result<void> flush() { return journal_->flush(); }

  // All scopes and open leases, as they are in the file.
  Result<Report> report();

  // Ends leases whose owners are gone: what may have been billed and was not settled is booked as
  // spent, the rest is returned.
  Result<std::vector<Reconciled>> reconcile(Resolve resolve);

 private:
  LeaseStore(Options options, Owner owner, Database database);

  [[nodiscard]] std::int64_t now() const { return options_.clock ? options_.clock() : 0; }
  // Adds to `lease`, a new one or one of this process, within a transaction of its own.
  Result<Taken> grant(Transaction transaction, LeaseRow lease, const Amounts& wanted,
                      const Amounts& least);
  // Makes a batch of the journal durable.
  Result<void> write(const Batch& batch);
  Result<LeaseReport> describe(const LeaseRow& lease);

  const Options options_;
  const Owner owner_;
  std::mutex mutex_;  // Of the connection. Never held together with the journal's.
  Database database_;
  std::unique_ptr<Journal> journal_;  // Last: its thread uses the rest.
};

}  // namespace hf::store
