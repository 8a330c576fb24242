#include "sim/durable_budget.h"

#include "base/assert.h"
#include "store/schema.h"

namespace hf::sim {
namespace {

store::Database new_disk() {
  auto database = store::open_ledger_in_memory();
  HF_ASSERT(database.has_value());
  return std::move(*database);
}

}  // namespace

DurableBudget::DurableBudget(const std::vector<store::ScopeSpec>& scopes, Wait wait)
    : scope_(scopes.back().name),
      wait_(std::move(wait)),
      file_(new_disk(),
            {.state_of = [this](const store::Owner& owner) -> Result<store::OwnerState> {
              return is_alive_ && owner == owner_ ? store::OwnerState::kAlive
                                                  : store::OwnerState::kDead;
            }}),
      checker_(scopes) {
  for (const store::ScopeSpec& scope : scopes) must(file_.define(scope));
}

void DurableBudget::begin() {
  ++owner_.pid;
  is_alive_ = true;
  must(file_.check());
  journal_.emplace();
  store::LeaseSource& source = *this;
  purse_.emplace(source, scope_);
}

void DurableBudget::die(bool is_written) {
  if (being_written_ && is_written) {
    write();
  }
  being_written_.reset();
  checker_.write_ended(false);
  checker_.died();
  is_alive_ = false;
  purse_.reset();
  journal_.reset();
  has_changed_ = true;
}

void DurableBudget::end() {
  if (is_alive_) {
    purse_->give_back();
    while (being_written_ || begin_write()) write();
    is_alive_ = false;
  }
  reconcile();
  const auto report = file_.report();
  must(report);
  if (report) checker_.check_end(*report);
}

BudgetChanged DurableBudget::want(const Amounts& needed) {
  auto [leased, refusal] = purse_->want(needed);
  if (refusal && !refusal->trouble.empty()) violations_.push_back(refusal->trouble);
  return {.limits = {.usd = leased.usd, .cloud_tokens = leased.cloud_tokens, .deadline = {}},
          .refusal = std::move(refusal)};
}

void DurableBudget::book(CallId call, const Amounts& cost) {
  checker_.booked(call, cost);
  purse_->booked(call, cost);
}

void DurableBudget::sent(CallId call, const Amounts& charge) {
  has_changed_ = true;
  checker_.sent(call, charge);
}

Result<store::Taken> DurableBudget::take(std::string_view scope, const Amounts& wanted,
                                         const Amounts& least) {
  return granted(file_.take(owner_, scope, wanted, least));
}

Result<store::Taken> DurableBudget::extend(store::LeaseId lease, const Amounts& wanted,
                                           const Amounts& least) {
  return granted(file_.extend(lease, wanted, least));
}

Result<store::Taken> DurableBudget::granted(Result<store::Taken> taken) {
  if (!taken || !*taken) return taken;
  has_changed_ = true;
  journal_->grant((*taken)->id, (*taken)->amount, (*taken)->window);
  checker_.granted((*taken)->id, (*taken)->amount);
  return taken;
}

Result<void> DurableBudget::started(store::LeaseId lease, CallId call, const Amounts& worst) {
  const auto entered = journal_->started(lease, call, worst);
  // What the scheduler has reserved always fits into what it was given.
  must(entered);
  if (!entered) return std::unexpected(entered.error());
  checker_.entered(call, worst);
  while (!journal_->may_begin(lease, *entered)) {
    if (!wait_()) return fail(Code::kUnavailable, "The process died.");
  }
  return {};
}

Result<void> DurableBudget::settled(store::LeaseId lease, CallId call, const Amounts& actual) {
  auto result = journal_->settled(lease, call, actual);
  must(result);
  return result;
}

Result<void> DurableBudget::give_back(store::LeaseId lease) {
  checker_.given_back();
  auto result = journal_->give_back(lease);
  must(result);
  return result;
}

bool DurableBudget::begin_write() {
  if (!is_alive_ || being_written_ || !journal_->has_gathered()) return false;
  being_written_ = journal_->take();
  checker_.write_began();
  return true;
}

void DurableBudget::write() {
  const auto result = file_.write(*being_written_);
  must(result);
  journal_->finish(*being_written_, result);
  being_written_.reset();
  checker_.write_ended(result.has_value());
  has_changed_ = true;
}

void DurableBudget::reconcile() {
  const auto resolved = file_.reconcile(store::Resolve::kDead);
  must(resolved);
  if (resolved) checker_.reconciled(*resolved);
  has_changed_ = true;
}

std::vector<std::string> DurableBudget::check() {
  if (std::exchange(has_changed_, false)) {
    const auto report = file_.report();
    must(report);
    if (report) checker_.check(*report);
    for (std::string& rule : checker_.take_violations()) violations_.push_back(std::move(rule));
  }
  return std::exchange(violations_, {});
}

Amounts DurableBudget::spent() {
  const auto report = file_.report();
  return report ? report->scopes.back().spent : Amounts{};
}

}  // namespace hf::sim
