// This process's part of a budget that outlives it: a store, and the purse that is filled from it
// when the scheduler wants more.
//
// Whatever is not used returns to the store with this object. Thread safety: none.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "config/config.h"
#include "schedule/event.h"
#include "store/lease_store.h"
#include "store/purse.h"

namespace hf {

class BudgetLease {
 public:
  // Opens the store, at `default_path` unless the configuration names another, and defines its
  // scopes. kInvalidInput: a store that cannot be used, and why.
  static Result<std::unique_ptr<BudgetLease>> open(const LedgerConfig& ledger,
                                                   const std::string& default_path);
  ~BudgetLease() { purse_.give_back(); }
  BudgetLease(const BudgetLease&) = delete;
  BudgetLease& operator=(const BudgetLease&) = delete;

  // See store::Purse.
  BudgetChanged want(const Amounts& needed);
  Result<void> started(CallId call, const Amounts& worst) { return purse_.started(call, worst); }
  void booked(CallId call, const Amounts& actual) { purse_.booked(call, actual); }

 private:
  BudgetLease(std::unique_ptr<store::LeaseStore> store, const std::string& scope)
      : store_(std::move(store)), purse_(*store_, scope) {}

  const std::unique_ptr<store::LeaseStore> store_;
  store::Purse purse_;
};

}  // namespace hf
