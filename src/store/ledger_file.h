// The ledger as it is on the disk: durable scopes, the leases on them, the calls that are open.
// Each function is one transaction; what it returns is durable.
//
// What always holds in the file, in every scope: spent + leased <= limit, unless an endpoint billed
// more than was reserved or a limit was lowered; and spent + leased >= what was billed.
//
// It knows no process of its own: who takes a lease says who it is. Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/budget.h"
#include "store/journal_book.h"
#include "store/lease_source.h"
#include "store/owner.h"
#include "store/rows.h"
#include "store/sqlite.h"

namespace hf::store {

struct ScopeSpec {
  std::string name;                   // "process", "key:alice"; unique in the store.
  std::optional<std::string> parent;  // Defined before.
  Budget limits;                      // A deadline is no matter of the store.
};

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

class LedgerFile {
 public:
  struct Options {
    std::function<std::int64_t()> clock = {};  // Seconds since 1970, for people; none writes 0.
    // Whether an owner of a lease still runs.
    std::function<Result<OwnerState>(const Owner&)> state_of = store::state_of;
  };

  // `database` is a sound ledger (schema.h).
  LedgerFile(Database database, Options options)
      : database_(std::move(database)), options_(std::move(options)) {}

  // Makes a scope or sets the limits of an existing one, also below what is spent. Its parent
  // never changes.
  Result<void> define(const ScopeSpec& spec);

  // See LeaseSource.
  Result<Taken> take(const Owner& owner, std::string_view scope, const Amounts& wanted,
                     const Amounts& least);
  Result<Taken> extend(LeaseId lease, const Amounts& wanted, const Amounts& least);
  Result<Amounts> left(std::string_view scope);

  // What happened in leases since the last batch: all of it or nothing.
  Result<void> write(const Batch& batch);

  // All scopes and open leases.
  Result<Report> report();

  // Ends leases whose owners are gone: what may have been billed and was not settled is booked as
  // spent, the rest is returned.
  Result<std::vector<Reconciled>> reconcile(Resolve resolve);

  // Whether it is a sound ledger still, as a process that opens it would ask.
  Result<void> check();

 private:
  [[nodiscard]] std::int64_t now() const { return options_.clock ? options_.clock() : 0; }
  // Adds to `lease`, a new one or one that is open, within a transaction of its own.
  Result<Taken> grant(Transaction transaction, LeaseRow lease, const Amounts& wanted,
                      const Amounts& least);
  Result<LeaseReport> describe(const LeaseRow& lease);

  Database database_;
  Options options_;
};

}  // namespace hf::store
