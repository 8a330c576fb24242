// Budgets that queries share: who pays, and where more of a leased one comes from.
#include <chrono>
#include <utility>

#include "base/assert.h"
#include "schedule/impl.h"

namespace hf {
namespace {

// Others may have given something back meanwhile.
constexpr Duration kAskAgain = std::chrono::seconds(1);

}  // namespace

Scheduler::Impl::Account* Scheduler::Impl::account(AccountId id) {
  return accounts_.find(index_of(id));
}

std::optional<BudgetState> Scheduler::Impl::account_state(AccountId id) {
  const Account* const found = account(id);
  if (found == nullptr) return std::nullopt;
  return ledger_.state(found->scope);
}

void Scheduler::Impl::on(const AccountOpened& event) {
  if (account(event.account) != nullptr) return;
  Account opened;
  opened.name = event.name;
  opened.parent = event.parent;
  std::optional<ScopeId> above;
  if (event.parent) {
    Account* const parent = account(*event.parent);
    if (parent == nullptr || parent->is_closed) return;
    ++parent->users;
    above = parent->scope;
    opened.lease = parent->lease;
  }
  if (event.is_leased) opened.lease = event.account;
  opened.scope = ledger_.open(event.name, above, event.limits);
  accounts_.insert(index_of(event.account), std::move(opened));
}

void Scheduler::Impl::on(const AccountClosed& event) {
  Account* const closed = account(event.account);
  if (closed == nullptr || closed->is_closed || event.account == AccountId{}) return;
  closed->is_closed = true;
  ++closed->users;
  leave_account(event.account);
}

void Scheduler::Impl::leave_account(AccountId id) {
  Account& left = *account(id);
  if (--left.users > 0 || !left.is_closed) return;
  ledger_.close(left.scope);
  const std::optional<AccountId> parent = left.parent;
  accounts_.erase(index_of(id));
  if (parent) leave_account(*parent);
}

void Scheduler::Impl::on(const BudgetChanged& event) {
  Account* const changed = account(event.account);
  if (changed == nullptr) return;
  changed->is_wanted = false;
  const BudgetState before = ledger_.state(changed->scope);
  ledger_.set_limits(changed->scope, event.limits);
  changed->refusal = event.refusal;
  const bool is_more = before.usd_limit != event.limits.usd ||
                       before.cloud_tokens_limit != event.limits.cloud_tokens;
  if (is_more && !event.refusal) {
    ++settlements_;
  } else {
    // Who got nothing does not ask for the same again at once. It is no settlement: that would make
    // others, who got nothing either, ask again, and they this one.
    changed->refused_at = settlements_;
    changed->refused_until = now_ + kAskAgain;
    unpaid_since_ = 0;
  }
  is_drain_due_ = true;
}

// The leased account that a refusal comes from; null if it is none.
const Scheduler::Impl::Account* Scheduler::Impl::refusing_lease(const Query& query,
                                                                const Refusal& refusal) {
  const auto lease = account(query.account)->lease;
  if (!lease) return nullptr;
  const Account* const found = account(*lease);
  return refusal.scope == found->name ? found : nullptr;
}

// Whether `worst` does not fit only because what is leased is used up, and more has been asked for.
bool Scheduler::Impl::asks_for_budget(const Query& query, const Amounts& worst) {
  const auto lease = account(query.account)->lease;
  if (!lease) return false;
  Account& leased = *account(*lease);
  const std::optional<Refusal> refusal = ledger_.refusal(query.scope, worst);
  if (!refusal || refusal->scope != leased.name) return false;
  const bool is_less =
      worst.usd < leased.wanted.usd || worst.cloud_tokens < leased.wanted.cloud_tokens;
  const bool is_refused = leased.refused_at == settlements_ && now_ < leased.refused_until;
  if (is_refused && !is_less) return false;
  if (std::exchange(leased.is_wanted, true)) return true;
  leased.wanted = worst;
  commands_->push_back(WantBudget{*lease, worst});
  return true;
}

// Whether anything may yet be returned to a budget that the query is paid from.
bool Scheduler::Impl::is_any_held(const Query& query) {
  const Account* top = account(query.account);
  while (top->parent) top = account(*top->parent);
  return ledger_.state(top->scope).held != Amounts{};
}

}  // namespace hf
