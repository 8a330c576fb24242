// This process's parts of budgets that outlive it: one store, and a purse for each account that is
// filled from it when the scheduler wants more.
//
// Whatever is not used returns to the store with this object. Thread safety: none.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "config/config.h"
#include "schedule/event.h"
#include "store/lease_store.h"
#include "store/purse.h"

namespace hf {

class BudgetLeases {
 public:
  // Opens the store, at `default_path` unless the configuration names another, and defines its
  // scopes; the process's account is paid from `ledger.scope` if that is not empty. kInvalidInput:
  // a store that cannot be used, and why.
  static Result<std::unique_ptr<BudgetLeases>> open(const LedgerConfig& ledger,
                                                    const std::string& default_path);
  ~BudgetLeases();
  BudgetLeases(const BudgetLeases&) = delete;
  BudgetLeases& operator=(const BudgetLeases&) = delete;

  // From now on this account is paid from that scope, which is made, or gets other limits.
  Result<void> pay_from(AccountId account, const store::ScopeSpec& scope);
  // Gives back what it has. REQUIRES: no call of it is open.
  void close(AccountId account);
  [[nodiscard]] bool pays(AccountId account) const { return purses_.contains(account); }

  // See store::Purse. REQUIRES: `pays(account)`.
  BudgetChanged want(AccountId account, const Amounts& needed);
  Result<void> started(AccountId account, CallId call, const Amounts& worst) {
    return purses_.at(account).started(call, worst);
  }
  void booked(AccountId account, CallId call, const Amounts& actual) {
    purses_.at(account).booked(call, actual);
  }

  // All scopes as they are in the store, what other processes do included.
  Result<store::Report> report() { return store_->report(); }

 private:
  explicit BudgetLeases(std::unique_ptr<store::LeaseStore> store) : store_(std::move(store)) {}

  const std::unique_ptr<store::LeaseStore> store_;
  std::map<AccountId, store::Purse> purses_;
};

}  // namespace hf
