#include "store/database_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace hf::store {
namespace {

namespace fs = std::filesystem;

std::int64_t latest(const FileKind& kind) {
  return static_cast<std::int64_t>(kind.migrations.size());
}

Result<void> make_file(const DatabaseFile& file) {
  const fs::path& path = file.path;
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
    return fail(Code::kUnavailable, fmt::format("the {} {} cannot be created: {}", file.name,
                                                path.string(), std::strerror(errno)));
  }
  if (!fs::is_regular_file(path, error)) {
    return fail(Code::kUnavailable,
                fmt::format("{} is no file; give the {} another path", path.string(), file.name));
  }
  return {};
}

// The version of the file, 0 for an empty file. REQUIRES: inside a transaction.
Result<std::int64_t> version_of(Database& database, const FileKind& kind) {
  HF_TRY(const std::int64_t application, database.number("PRAGMA application_id"));
  HF_TRY(const std::int64_t version, database.number("PRAGMA user_version"));
  HF_TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_master"));
  const std::string path = database.path().string();
  const std::string_view name = database.file().name;
  if (application == 0 && version == 0 && tables == 0) return 0;
  if (application != kind.application_id || version <= 0) {
    return fail(
        Code::kUnavailable,
        fmt::format("{} is a database of another program; give the {} another path", path, name));
  }
  if (version > latest(kind)) {
    return fail(Code::kUnavailable,
                fmt::format("the {} {} has version {}, this program knows {}; use the newer "
                            "program that wrote it",
                            name, path, version, latest(kind)));
  }
  return version;
}

Result<void> migrate(Database& database, const FileKind& kind) {
  HF_TRY(Transaction transaction, Transaction::begin(database, Transaction::Kind::kWrite));
  // Again, because another process may have been faster.
  HF_TRY(const std::int64_t version, version_of(database, kind));
  for (std::int64_t step = version; step < latest(kind); ++step) {
    HF_CHECK(database.execute(kind.migrations[static_cast<std::size_t>(step)]));
  }
  if (version < latest(kind)) {
    HF_CHECK(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                          kind.application_id, latest(kind))
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

Result<Database> open_file(const DatabaseFile& file, const FileKind& kind) {
  HF_CHECK(make_file(file));
  HF_TRY(Database database, Database::open(file));
  std::int64_t version = 0;
  {
    HF_TRY(const Transaction look, Transaction::begin(database, Transaction::Kind::kRead));
    HF_TRY(version, version_of(database, kind));
  }
  if (database.is_read_only()) {
    return fail(Code::kUnavailable,
                fmt::format("the {} {} is read-only; it is of no use without writing", file.name,
                            file.path.string()));
  }
  HF_CHECK(database.execute(kind.settings));
  HF_TRY(const std::string mode, keep_a_log(database));
  if (mode != "wal") {
    return fail(Code::kUnavailable,
                fmt::format("the {} {} cannot keep a write-ahead log, which a network drive "
                            "may not allow; use a local disk",
                            file.name, file.path.string()));
  }
  if (version < latest(kind)) HF_CHECK(migrate(database, kind));
  return database;
}

Result<void> set_up(Database& database, const FileKind& kind) {
  HF_CHECK(database.execute(kind.settings));
  return migrate(database, kind);
}

Result<void> check_integrity(Database& database) {
  std::string finding;
  {
    HF_TRY(Rows rows, database.query("PRAGMA integrity_check(1)"));
    HF_TRY(const bool is_row, rows.next());
    finding = is_row ? rows.text(0) : "no answer to the integrity check";
  }
  if (finding != "ok") return std::unexpected(database.damaged(finding));
  return {};
}

}  // namespace hf::store
