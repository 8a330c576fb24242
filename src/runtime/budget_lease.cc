#include "runtime/budget_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/amounts.h"
#include "store/slice.h"

namespace hf {
namespace {

Amounts least_of(const Amounts& needed, const Amounts& free) {
  return {std::max(needed.usd - free.usd, PicoUsd(0)),
          std::max(needed.cloud_tokens - free.cloud_tokens, Tokens(0))};
}

}  // namespace

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

BudgetLease::~BudgetLease() {
  // If the store fails now, the lease stays counted as spent until it is reconciled.
  if (!lease_) return;
  [[maybe_unused]] const auto returned = store_->give_back(*lease_);
}

BudgetChanged BudgetLease::want(const Amounts& needed) {
  const auto answer = [this](std::optional<Refusal> refusal) {
    return BudgetChanged{
        .limits = {.usd = leased_.usd, .cloud_tokens = leased_.cloud_tokens, .deadline = {}},
        .refusal = std::move(refusal)};
  };
  const auto failed = [&](const Error& error) {
    Refusal refusal;
    refusal.scope = scope_;
    refusal.trouble = fmt::format("the budget cannot be used: {}", error.message);
    return answer(std::move(refusal));
  };

  const Amounts least = least_of(needed, store::minus(store::minus(leased_, spent_), held_));
  const auto left = store_->left(scope_);
  if (!left) return failed(left.error());
  const Amounts wanted = store::slice(
      {.least = least, .recent = store::minus(spent_, spent_at_last_lease_), .left = *left});
  const auto taken =
      lease_ ? store_->extend(*lease_, wanted, least) : store_->take(scope_, wanted, least);
  if (!taken) return failed(taken.error());
  if (!*taken) return answer(taken->error());
  lease_ = (*taken)->id;
  leased_ += (*taken)->amount;
  spent_at_last_lease_ = spent_;
  return answer(std::nullopt);
}

Result<void> BudgetLease::started(CallId call, const Amounts& worst) {
  if (worst == Amounts{}) return {};
  if (!lease_) return fail(Code::kInternal, "a call that costs has no lease to pay from.");
  HF_CHECK(store_->started(*lease_, call, worst));
  open_.emplace(call, worst);
  held_ += worst;
  return {};
}

void BudgetLease::booked(CallId call, const Amounts& actual) {
  const auto found = open_.find(call);
  if (found == open_.end()) return;
  held_ -= found->second;
  spent_ += actual;
  open_.erase(found);
  // A failed write is told by the next `started`, which then refuses.
  [[maybe_unused]] const auto written = store_->settled(*lease_, call, actual);
}

}  // namespace hf
