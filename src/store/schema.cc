#include "store/schema.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

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
};
constexpr auto kVersion = static_cast<std::int64_t>(kMigrations.size());

// A connection's own settings. Nothing here writes to the file.
constexpr const char* kSettings =
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON";

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

Result<void> make_file(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path() && !fs::is_directory(path.parent_path(), error)) {
    // Each missing folder for this user alone, from the top.
    fs::path folder;
    for (const fs::path& part : path.parent_path()) {
      folder /= part;
      ::mkdir(folder.c_str(), S_IRWXU);
    }
  }
  // Not open(): closing a descriptor would drop the locks of another connection of this process.
  if (::mknod(path.c_str(), S_IFREG | S_IRUSR | S_IWUSR, 0) != 0 && errno != EEXIST) {
    return fail(Code::kUnavailable, fmt::format("the ledger {} cannot be created: {}",
                                                path.string(), std::strerror(errno)));
  }
  if (!fs::is_regular_file(path, error)) {
    return fail(Code::kUnavailable,
                fmt::format("{} is no file; give the ledger another path", path.string()));
  }
  return {};
}

// The version of the ledger, 0 for an empty file. REQUIRES: inside a transaction.
Result<std::int64_t> version_of(Database& database) {
  HF_TRY(const std::int64_t application, database.number("PRAGMA application_id"));
  HF_TRY(const std::int64_t version, database.number("PRAGMA user_version"));
  HF_TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_master"));
  const std::string path = database.path().string();
  if (application == 0 && version == 0 && tables == 0) return 0;
  if (application != kApplicationId || version <= 0) {
    return fail(
        Code::kUnavailable,
        fmt::format("{} is a database of another program; give the ledger another path", path));
  }
  if (version > kVersion) {
    return fail(Code::kUnavailable,
                fmt::format("the ledger {} has version {}, this program knows {}; use the newer "
                            "program that wrote it",
                            path, version, kVersion));
  }
  return version;
}

Result<void> migrate(Database& database) {
  HF_TRY(Transaction transaction, Transaction::begin(database, Transaction::Kind::kWrite));
  // Again, because another process may have been faster.
  HF_TRY(const std::int64_t version, version_of(database));
  for (std::int64_t step = version; step < kVersion; ++step) {
    HF_CHECK(database.execute(kMigrations[static_cast<std::size_t>(step)]));
  }
  if (version < kVersion) {
    HF_CHECK(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                          kApplicationId, kVersion)
                                  .c_str()));
  }
  return transaction.commit();
}

// Switches to a write-ahead log and says what the file has now. Where several switch a new file at
// once, SQLite refuses all but one without waiting; each then waits here for its turn to write.
Result<std::string> keep_a_log(Database& database) {
  constexpr int kTriesMax = 20;
  for (int tries = 1;; ++tries) {
    {
      HF_TRY(Rows rows, database.query("PRAGMA journal_mode = WAL"));
      const auto is_row = rows.next();
      if (is_row) return rows.text(0);
      if (tries == kTriesMax) return std::unexpected(is_row.error());
    }
    HF_TRY(const Transaction turn, Transaction::begin(database, Transaction::Kind::kWrite));
  }
}

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
  HF_CHECK(make_file(path));
  HF_TRY(Database database, Database::open(path));
  std::int64_t version = 0;
  {
    HF_TRY(const Transaction look, Transaction::begin(database, Transaction::Kind::kRead));
    HF_TRY(version, version_of(database));
  }
  if (database.is_read_only()) {
    return fail(Code::kUnavailable,
                fmt::format("the ledger {} is read-only; nothing can be spent without writing it",
                            path.string()));
  }
  HF_CHECK(database.execute(kSettings));
  HF_TRY(const std::string mode, keep_a_log(database));
  if (mode != "wal") {
    return fail(Code::kUnavailable,
                fmt::format("the ledger {} cannot keep a write-ahead log, which a network drive "
                            "may not allow; use a local disk",
                            path.string()));
  }
  if (version < kVersion) HF_CHECK(migrate(database));
  HF_CHECK(check_ledger(database));
  return database;
}

Result<Database> open_ledger_in_memory() {
  HF_TRY(Database database, Database::open_in_memory());
  HF_CHECK(database.execute(kSettings));
  HF_CHECK(migrate(database));
  return database;
}

Result<void> check_ledger(Database& database) {
  HF_TRY(const Transaction transaction, Transaction::begin(database, Transaction::Kind::kRead));
  std::string finding;
  {
    HF_TRY(Rows rows, database.query("PRAGMA integrity_check(1)"));
    HF_TRY(const bool is_row, rows.next());
    finding = is_row ? rows.text(0) : "no answer to the integrity check";
  }
  if (finding != "ok") return std::unexpected(database.damaged(finding));
  HF_CHECK(all_scopes(database));
  HF_CHECK(all_leases(database));
  for (const std::string_view unbalanced : {kUnbalancedScopes, kUnbalancedLeases}) {
    HF_TRY(const std::int64_t count, database.number(unbalanced));
    if (count != 0) return std::unexpected(database.damaged("its sums contradict each other"));
  }
  return {};
}

}  // namespace hf::store
