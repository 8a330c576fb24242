#include "store/schema.h"

#include <array>
#include <optional>
#include <string>

#include "store/database_file.h"
#include "store/key_rows.h"
#include "store/rows.h"

namespace hf::store {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplicationId = 0x48464c47;  // "HFLG"

// Step i leads from version i to i + 1. A step that was released is never changed.
constexpr std::array kMigrations{
    // A row of money carries a seal over all its columns (rows.h). `call` has the open calls only.
    R"(CREATE TABLE scope (
         id INTEGER PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         parent INTEGER REFERENCES scope (id),
         usd_limit INTEGER,
         tokens_limit INTEGER,
         usd_spent INTEGER NOT NULL,
         tokens_spent INTEGER NOT NULL,
         usd_leased INTEGER NOT NULL,
         tokens_leased INTEGER NOT NULL,
         created_at INTEGER NOT NULL,
         seal INTEGER NOT NULL) STRICT;
       CREATE TABLE lease (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         scope INTEGER NOT NULL REFERENCES scope (id),
         usd_left INTEGER NOT NULL,
         tokens_left INTEGER NOT NULL,
         usd_window INTEGER NOT NULL,
         tokens_window INTEGER NOT NULL,
         usd_open INTEGER NOT NULL,
         tokens_open INTEGER NOT NULL,
         usd_settled INTEGER NOT NULL,
         tokens_settled INTEGER NOT NULL,
         calls_settled INTEGER NOT NULL,
         pid INTEGER NOT NULL,
         born INTEGER NOT NULL,
         boot TEXT NOT NULL,
         pid_space TEXT NOT NULL,
         taken_at INTEGER NOT NULL,
         seal INTEGER NOT NULL) STRICT;
       CREATE TABLE call (
         lease INTEGER NOT NULL REFERENCES lease (id),
         id INTEGER NOT NULL,
         usd INTEGER NOT NULL,
         tokens INTEGER NOT NULL,
         PRIMARY KEY (lease, id)) STRICT, WITHOUT ROWID)",
    // Keys of the server (key_store.h). `version` is that of all keys when this one last changed.
    R"(CREATE TABLE key (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         version INTEGER NOT NULL UNIQUE,
         digest TEXT NOT NULL UNIQUE,
         prefix TEXT NOT NULL,
         name TEXT NOT NULL,
         usd_limit INTEGER,
         tokens_limit INTEGER,
         period INTEGER NOT NULL,
         requests_per_minute INTEGER,
         in_flight INTEGER,
         models TEXT NOT NULL,
         expires_at INTEGER,
         created_at INTEGER NOT NULL,
         revoked_at INTEGER,
         seal INTEGER NOT NULL) STRICT;
       CREATE UNIQUE INDEX key_by_name ON key (name) WHERE revoked_at IS NULL)",
};

// A connection's own settings. Nothing here writes to the file.
constexpr const char* kSettings =
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON";

constexpr FileKind kLedger{
    .application_id = kApplicationId, .migrations = kMigrations, .settings = kSettings};

// Which scopes hold something else than the leases below them, and which leases than their calls.
constexpr std::string_view kUnbalancedScopes = R"(
    WITH RECURSIVE up (lease, scope) AS (
      SELECT id, scope FROM lease
      UNION SELECT up.lease, scope.parent FROM up JOIN scope ON scope.id = up.scope
      WHERE scope.parent IS NOT NULL),
    held AS (
      SELECT up.scope AS id, sum(usd_left) AS usd, sum(tokens_left) AS tokens
      FROM up JOIN lease ON lease.id = up.lease GROUP BY up.scope)
    SELECT count(*) FROM scope LEFT JOIN held ON held.id = scope.id
    WHERE usd_leased <> coalesce(usd, 0) OR tokens_leased <> coalesce(tokens, 0))";
constexpr std::string_view kUnbalancedLeases = R"(
    SELECT count(*) FROM lease
    LEFT JOIN (SELECT lease AS id, sum(usd) AS usd, sum(tokens) AS tokens FROM call GROUP BY lease)
      AS calls ON calls.id = lease.id
    WHERE usd_open <> coalesce(usd, 0) OR tokens_open <> coalesce(tokens, 0))";

}  // namespace

Result<fs::path> default_ledger_path(const Getenv& getenv) {
  const auto variable = [&](const char* name) -> std::optional<fs::path> {
    const char* value = getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return fs::path(value);
  };
  if (const auto state = variable("HYBRIDFLOW_STATE")) return *state / "ledger.db";
  if (const auto state = variable("XDG_STATE_HOME")) return *state / "hybridflow" / "ledger.db";
  if (const auto home = variable("HOME")) {
    return *home / ".local" / "state" / "hybridflow" / "ledger.db";
  }
  return fail(Code::kInvalidInput,
              "there is no place for the ledger: neither HYBRIDFLOW_STATE nor HOME is set");
}

Result<Database> open_ledger(const fs::path& path) {
  HF_TRY(Database database, open_file({.path = path}, kLedger));
  HF_CHECK(check_ledger(database));
  return database;
}

Result<Database> open_ledger_in_memory() {
  HF_TRY(Database database, Database::open_in_memory());
  HF_CHECK(set_up(database, kLedger));
  return database;
}

Result<void> check_ledger(Database& database) {
  HF_TRY(const Transaction transaction, Transaction::begin(database, Transaction::Kind::kRead));
  HF_CHECK(check_integrity(database));
  HF_CHECK(all_scopes(database));
  HF_CHECK(all_leases(database));
  HF_CHECK(all_keys(database));
  for (const std::string_view unbalanced : {kUnbalancedScopes, kUnbalancedLeases}) {
    HF_TRY(const std::int64_t count, database.number(unbalanced));
    if (count != 0) return std::unexpected(database.damaged("its sums contradict each other"));
  }
  return {};
}

}  // namespace hf::store
