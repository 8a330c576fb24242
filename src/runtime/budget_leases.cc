#include "runtime/budget_leases.h"

#include <chrono>
#include <utility>

namespace hf {

Result<std::unique_ptr<BudgetLeases>> BudgetLeases::open(const LedgerConfig& ledger,
                                                         const std::string& default_path) {
  const auto clock = [] {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  HF_TRY(auto store,
         store::LeaseStore::open(
             {.path = ledger.path.empty() ? default_path : ledger.path, .clock = clock}));
  for (const ScopeConfig& scope : ledger.scopes) {
    HF_CHECK(store->define({.name = scope.name, .parent = scope.parent, .limits = scope.limits}));
  }
  std::unique_ptr<BudgetLeases> leases(new BudgetLeases(std::move(store)));
  if (!ledger.scope.empty())
    leases->purses_.emplace(AccountId{}, store::Purse(*leases->store_, ledger.scope));
  return leases;
}

BudgetLeases::~BudgetLeases() {
  for (auto& [account, purse] : purses_) purse.give_back();
}

Result<void> BudgetLeases::pay_from(AccountId account, const store::ScopeSpec& scope) {
  HF_CHECK(store_->define(scope));
  purses_.try_emplace(account, *store_, scope.name);
  return {};
}

void BudgetLeases::close(AccountId account) {
  const auto found = purses_.find(account);
  if (found == purses_.end()) return;
  found->second.give_back();
  purses_.erase(found);
}

BudgetChanged BudgetLeases::want(AccountId account, const Amounts& needed) {
  auto [leased, refusal] = purses_.at(account).want(needed);
  return {.account = account,
          .limits = {.usd = leased.usd, .cloud_tokens = leased.cloud_tokens, .deadline = {}},
          .refusal = std::move(refusal)};
}

}  // namespace hf
