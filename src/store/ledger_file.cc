#include "store/ledger_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "base/utf8.h"
#include "store/amounts.h"
#include "store/schema.h"

namespace hf::store {
namespace {

constexpr std::int64_t kWindowShare = 4;
constexpr std::size_t kScopeNameBytesMax = 200;

// One axis of a scope. Without a limit the range of the number is the limit.
struct AxisState {
  Axis axis;
  std::int64_t limit;
  std::int64_t spent;
  std::int64_t held;

  // What is left; below zero if a limit was lowered or an endpoint billed too much.
  [[nodiscard]] std::int64_t left() const {
    // limit - spent cannot overflow, the rest of the difference can.
    const std::int64_t unspent = limit - spent;
    std::int64_t rest = 0;
    if (!__builtin_sub_overflow(unspent, held, &rest)) return rest;
    return std::numeric_limits<std::int64_t>::min();
  }
};

template <class Unit>
std::int64_t number_of(const std::optional<Unit>& limit) {
  return limit ? limit->count() : std::numeric_limits<std::int64_t>::max();
}

AxisState usd_of(const ScopeRow& row) {
  return {Axis::kUsd, number_of(row.usd_limit), row.spent.usd.count(), row.leased.usd.count()};
}

AxisState tokens_of(const ScopeRow& row) {
  return {Axis::kCloudTokens, number_of(row.tokens_limit), row.spent.cloud_tokens.count(),
          row.leased.cloud_tokens.count()};
}

// The least that a scope of the chain has left.
Amounts left_in(std::span<const ScopeRow> chain) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Amounts left{PicoUsd(kMost), Tokens(kMost)};
  for (const ScopeRow& row : chain) {
    left = smaller(left, {PicoUsd(usd_of(row).left()), Tokens(tokens_of(row).left())});
  }
  return larger(left, kNothing);
}

std::optional<Refusal> refusal(std::span<const ScopeRow> chain, const Amounts& least) {
  for (const ScopeRow& row : chain) {
    for (const auto& [state, asked] : {std::pair(usd_of(row), least.usd.count()),
                                       std::pair(tokens_of(row), least.cloud_tokens.count())}) {
      // Nothing fits everywhere, even where a limit is passed.
      if (asked > 0 && asked > state.left()) {
        return Refusal{row.name, state.axis, state.limit, state.spent, state.held, asked};
      }
    }
  }
  return std::nullopt;
}

Result<void> check_spec(const ScopeSpec& spec) {
  const bool is_plain =
      std::ranges::none_of(spec.name, [](char c) { return c >= '\0' && c < ' '; });
  if (spec.name.empty() || spec.name.size() > kScopeNameBytesMax || !is_plain ||
      !is_utf8(spec.name)) {
    return fail(
        Code::kInvalidInput,
        fmt::format("a budget scope needs a name of 1 to {} printable bytes", kScopeNameBytesMax));
  }
  if (spec.limits.usd.value_or(PicoUsd(0)) < PicoUsd(0) ||
      spec.limits.cloud_tokens.value_or(Tokens(0)) < Tokens(0)) {
    return fail(Code::kInvalidInput,
                fmt::format("the limits of scope '{}' are below zero; give 0 or more", spec.name));
  }
  return {};
}

Error unknown_scope(std::string_view name) {
  return {Code::kInvalidInput,
          fmt::format("the ledger has no scope '{}'; define it before it is used", name)};
}

Error lost_lease(std::int64_t id) {
  return {Code::kInternal,
          fmt::format("lease {} is gone from the ledger though its owner lives; nothing more is "
                      "spent, restart this process and look at 'hybridflow ledger show'",
                      id)};
}

}  // namespace

Result<void> LedgerFile::define(const ScopeSpec& spec) {
  HF_CHECK(check_spec(spec));
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  std::optional<std::int64_t> parent;
  if (spec.parent) {
    HF_TRY(const std::optional<ScopeRow> above, find_scope(database_, *spec.parent));
    if (!above) return std::unexpected(unknown_scope(*spec.parent));
    parent = above->id;
  }
  HF_TRY(std::optional<ScopeRow> known, find_scope(database_, spec.name));
  if (known && known->parent != parent) {
    return fail(Code::kInvalidInput,
                fmt::format("scope '{}' has another parent in the ledger, where its spending is "
                            "booked too; give a new name to the new scope",
                            spec.name));
  }
  ScopeRow row =
      std::move(known).value_or(ScopeRow{.name = spec.name, .parent = parent, .created_at = now()});
  // SQLite writes nothing where nothing changes. But an earlier definition whose commit failed on
  // its way to the disk may come back with a crash unless something is written over it.
  row.tokens_limit = spec.limits.cloud_tokens == Tokens(0) ? Tokens(1) : Tokens(0);
  HF_CHECK(save(database_, row));
  row.usd_limit = spec.limits.usd;
  row.tokens_limit = spec.limits.cloud_tokens;
  HF_CHECK(save(database_, row));
  return transaction.commit();
}

Result<Taken> LedgerFile::take(const Owner& owner, std::string_view scope, const Amounts& wanted,
                               const Amounts& least) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(const std::optional<ScopeRow> row, find_scope(database_, scope));
  if (!row) return std::unexpected(unknown_scope(scope));
  LeaseRow lease{.scope = row->id, .owner = owner, .taken_at = now()};
  return grant(std::move(transaction), std::move(lease), wanted, least);
}

Result<Taken> LedgerFile::extend(LeaseId id, const Amounts& wanted, const Amounts& least) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(std::optional<LeaseRow> row, find_lease(database_, std::to_underlying(id)));
  if (!row) return std::unexpected(lost_lease(std::to_underlying(id)));
  return grant(std::move(transaction), *std::move(row), wanted, least);
}

Result<Taken> LedgerFile::grant(Transaction transaction, LeaseRow lease, const Amounts& wanted,
                                const Amounts& least) {
  if (!is_amount(least) || !within(least, wanted)) {
    return fail(Code::kInvalidInput,
                "a lease needs 0 <= least <= wanted on both axes; check the amounts asked for");
  }
  HF_TRY(const std::vector<ScopeRow> chain, chain_from(database_, lease.scope));
  if (auto refused = refusal(chain, least)) return Taken(std::unexpect, *std::move(refused));

  const Amounts given = smaller(wanted, left_in(chain));
  lease.left += given;
  lease.window += {PicoUsd(given.usd.count() / kWindowShare),
                   Tokens(given.cloud_tokens.count() / kWindowShare)};
  HF_CHECK(save(database_, lease));
  HF_CHECK(book(database_, lease.scope, kNothing, given));
  HF_CHECK(transaction.commit());

  return Lease{static_cast<LeaseId>(lease.id), given, lease.window};
}

Result<Amounts> LedgerFile::left(std::string_view scope) {
  HF_TRY(const Transaction transaction, Transaction::begin(database_, Transaction::Kind::kRead));
  HF_TRY(const std::optional<ScopeRow> row, find_scope(database_, scope));
  if (!row) return std::unexpected(unknown_scope(scope));
  HF_TRY(const std::vector<ScopeRow> chain, chain_from(database_, row->id));
  return left_in(chain);
}

Result<void> LedgerFile::write(const Batch& batch) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  for (const auto& [id, delta] : batch) {
    HF_TRY(std::optional<LeaseRow> row, find_lease(database_, std::to_underlying(id)));
    if (!row) return std::unexpected(lost_lease(std::to_underlying(id)));
    for (const auto& [call, worst] : delta.closed) {
      HF_CHECK(database_.run("DELETE FROM call WHERE lease = ? AND id = ?", row->id,
                             static_cast<std::int64_t>(call)));
      row->open -= worst;
    }
    for (const auto& [call, worst] : delta.opened) {
      HF_CHECK(database_.run("INSERT INTO call VALUES (?, ?, ?, ?)", row->id,
                             static_cast<std::int64_t>(call), worst.usd.count(),
                             worst.cloud_tokens.count()));
      row->open += worst;
    }
    Amounts spent = delta.settled;
    Amounts leased = minus(minus(delta.grown, delta.settled), delta.returned);
    row->left += leased;
    row->settled = plus(row->settled, delta.settled);
    row->calls_settled += delta.calls_settled;
    if (delta.ends) {
      spent = plus(spent, row->open);
      leased -= row->left;
      HF_CHECK(erase(database_, *row));
    } else {
      HF_CHECK(save(database_, *row));
    }
    HF_CHECK(book(database_, row->scope, spent, leased));
  }
  return transaction.commit();
}

Result<LeaseReport> LedgerFile::describe(const LeaseRow& lease) {
  LeaseReport report{.lease = lease};
  HF_TRY(const std::vector<ScopeRow> chain, chain_from(database_, lease.scope));
  report.scope = chain.front().name;
  HF_TRY(report.owner_state, options_.state_of(lease.owner));
  HF_TRY(report.calls, calls_of(database_, lease.id));
  return report;
}

Result<Report> LedgerFile::report() {
  HF_TRY(const Transaction transaction, Transaction::begin(database_, Transaction::Kind::kRead));
  Report report;
  HF_TRY(report.scopes, all_scopes(database_));
  HF_TRY(const std::vector<LeaseRow> leases, all_leases(database_));
  for (const LeaseRow& lease : leases) {
    HF_TRY(report.leases.emplace_back(), describe(lease));
  }
  return report;
}

Result<std::vector<Reconciled>> LedgerFile::reconcile(Resolve resolve) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  std::vector<Reconciled> resolved;
  HF_TRY(const std::vector<LeaseRow> leases, all_leases(database_));
  for (const LeaseRow& lease : leases) {
    HF_TRY(LeaseReport was, describe(lease));
    const bool is_over =
        was.owner_state == OwnerState::kDead ||
        (was.owner_state == OwnerState::kElsewhere && resolve == Resolve::kDeadAndElsewhere);
    if (!is_over) continue;
    // Calls that started and left no trace are within the window, and all within the lease.
    const Amounts booked = smaller(lease.left, plus(lease.open, lease.window));
    HF_CHECK(erase(database_, lease));
    HF_CHECK(book(database_, lease.scope, booked, minus(kNothing, lease.left)));
    resolved.push_back({std::move(was), booked, minus(lease.left, booked)});
  }
  HF_CHECK(transaction.commit());
  return resolved;
}

Result<void> LedgerFile::check() {
  return check_ledger(database_);
}

}  // namespace hf::store
