#include "runtime/budget_lease.h"

#include <chrono>
#include <utility>

namespace hf {

Result<std::unique_ptr<BudgetLease>> BudgetLease::open(const LedgerConfig& ledger,
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
  return std::unique_ptr<BudgetLease>(new BudgetLease(std::move(store), ledger.scope));
}

BudgetChanged BudgetLease::want(const Amounts& needed) {
  auto [leased, refusal] = purse_.want(needed);
  return {.limits = {.usd = leased.usd, .cloud_tokens = leased.cloud_tokens, .deadline = {}},
          .refusal = std::move(refusal)};
}

}  // namespace hf
