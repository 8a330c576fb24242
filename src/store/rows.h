// The rows of a ledger file as values. Each carries a seal over its columns: SQLite has no checksum
// of its own for pages, and a flipped bit in a sum of money must not pass for the truth.
//
// Every function here runs inside the caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/budget.h"
#include "store/owner.h"
#include "store/sqlite.h"

namespace hf::store {

// A limit as a column has it, and back.
template <class Unit>
std::optional<std::int64_t> count_of(const std::optional<Unit>& limit) {
  return limit ? std::optional(limit->count()) : std::nullopt;
}

template <class Unit>
std::optional<Unit> limit_of(std::optional<std::int64_t> count) {
  return count ? std::optional(Unit(*count)) : std::nullopt;
}

struct ScopeRow {
  std::int64_t id = 0;
  std::string name = {};
  std::optional<std::int64_t> parent = {};
  std::optional<PicoUsd> usd_limit = {};
  std::optional<Tokens> tokens_limit = {};
  Amounts spent = {};
  Amounts leased = {};  // Sum of `left` of the leases of this scope and of those below it.
  std::int64_t created_at = 0;
};

struct LeaseRow {
  std::int64_t id = 0;
  std::int64_t scope = 0;
  Amounts left = {};     // What is held and not booked as spent.
  Amounts window = {};   // Worst cases that may be under way without a trace in this file.
  Amounts open = {};     // Worst cases of the calls in table `call`; part of `left`.
  Amounts settled = {};  // Booked as spent in the scopes already.
  std::int64_t calls_settled = 0;
  Owner owner = {};
  std::int64_t taken_at = 0;
};

struct CallRow {
  CallId id{};
  Amounts worst;
};

Result<std::optional<ScopeRow>> find_scope(Database& database, std::string_view name);
Result<std::optional<LeaseRow>> find_lease(Database& database, std::int64_t id);

// A scope and all above it, innermost first.
Result<std::vector<ScopeRow>> chain_from(Database& database, std::int64_t scope);

// In order of their ids.
Result<std::vector<ScopeRow>> all_scopes(Database& database);
Result<std::vector<LeaseRow>> all_leases(Database& database);
Result<std::vector<CallRow>> calls_of(Database& database, std::int64_t lease);

// Writes a row; one with id 0 is new and gets its id.
Result<void> save(Database& database, ScopeRow& scope);
Result<void> save(Database& database, LeaseRow& lease);

// Removes a lease and its calls.
Result<void> erase(Database& database, const LeaseRow& lease);

// In every scope of the chain: books `spent` and changes what is leased by `leased`.
Result<void> book(Database& database, std::int64_t scope, const Amounts& spent,
                  const Amounts& leased);

}  // namespace hf::store
