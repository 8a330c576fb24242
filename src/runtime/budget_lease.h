// This process's part of a budget that outlives it: gets more from the store when the scheduler
// wants it, and keeps the store's journal of calls.
//
// Whatever is not used returns to the store with this object. Thread safety: none.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "config/config.h"
#include "schedule/event.h"
#include "store/lease_store.h"

namespace hf {

class BudgetLease {
 public:
  // Opens the store, at `default_path` unless the configuration names another, and defines its
  // scopes. kInvalidInput: a store that cannot be used, and why.
  static Result<std::unique_ptr<BudgetLease>> open(const LedgerConfig& ledger,
                                                   const std::string& default_path);
  ~BudgetLease();
  BudgetLease(const BudgetLease&) = delete;
  BudgetLease& operator=(const BudgetLease&) = delete;

  // Leases what is needed and a little more, durably. A refusal is the scope's, or tells of a store
  // that fails.
  BudgetChanged want(const Amounts& needed);

  // Before a call is sent: an error means that it must not be.
  Result<void> started(CallId call, const Amounts& worst);

  // What a call cost. For calls that were never `started`, nothing.
  void booked(CallId call, const Amounts& actual);

 private:
  BudgetLease(std::unique_ptr<store::LeaseStore> store, std::string scope)
      : store_(std::move(store)), scope_(std::move(scope)) {}

  std::unique_ptr<store::LeaseStore> store_;
  const std::string scope_;
  std::optional<store::LeaseId> lease_;
  Amounts leased_;
  Amounts spent_;
  Amounts spent_at_last_lease_;
  Amounts held_;
  std::map<CallId, Amounts> open_;
};

}  // namespace hf
