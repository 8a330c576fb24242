#include "store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <tuple>
#include <utility>

namespace hf::store {
namespace {

constexpr int kBusyMilliseconds = 10'000;

// SQLite's result code as a sentence with a remedy.
Error explain(int code, const char* words, const DatabaseFile& file) {
  const auto say = [&](std::string_view what) {
    return Error{Code::kUnavailable,
                 fmt::format("the {} {} {}", file.name, file.path.string(), what)};
  };
  switch (code & 0xff) {
    case SQLITE_FULL:
      return say(fmt::format("cannot grow, the disk is full; {}", file.when_full));
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return say("cannot be written; check who owns the file and its folder");
    case SQLITE_CANTOPEN:
      return say("cannot be opened; check that it is a file and that its folder can be written");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return say(fmt::format("is damaged or no {} at all ({}); keep a copy and see {}", file.name,
                             words, file.manual));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return say("stays locked by another process; look for one that hangs");
    case SQLITE_IOERR:
      return say(fmt::format(
          "cannot be read or written ({}); check the disk, its space and its limits", words));
    default:
      return say(fmt::format("gave an unexpected error: {} ({})", words, code));
  }
}

}  // namespace

void Rows::Reset::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

Result<bool> Rows::next() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* connection = sqlite3_db_handle(statement_.get());
  return std::unexpected(explain(code, sqlite3_errmsg(connection), *file_));
}

std::int64_t Rows::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::int64_t> Rows::optional_integer(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

double Rows::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::optional<double> Rows::optional_real(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return real(column);
}

std::string Rows::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {reinterpret_cast<const char*>(bytes), size};
}

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

void Database::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Database::Database(const DatabaseFile& file, sqlite3* connection)
    : file_(std::make_unique<const DatabaseFile>(file)), connection_(connection) {}

Result<Database> Database::open(const DatabaseFile& file) {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(file.path.c_str(), &connection,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(file, connection);
  if (code != SQLITE_OK) return std::unexpected(explain(code, sqlite3_errstr(code), file));
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  return database;
}

Result<Database> Database::open_in_memory() {
  return open({.path = ":memory:"});
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return std::unexpected(explain(code, sqlite3_errmsg(connection_.get()), *file_));
}

Result<std::int64_t> Database::number(std::string_view sql) {
  HF_TRY(Rows rows, query(sql));
  HF_TRY(const bool is_row, rows.next());
  if (!is_row) return std::unexpected(damaged("a count is missing"));
  return rows.integer(0);
}

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

bool Database::is_read_only() const {
  return sqlite3_db_readonly(connection_.get(), "main") != 0;
}

Error Database::damaged(std::string_view how) const {
  return explain(SQLITE_CORRUPT, std::string(how).c_str(), *file_);
}

Result<sqlite3_stmt*> Database::prepared(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) {
    return found->second.get();
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(explain(code, sqlite3_errmsg(connection_.get()), *file_));
  }
  statements_.emplace(std::string(sql), statement);
  return statement;
}

// A failed bind means a wrong index or no memory; the row then misses a value that it must have,
// and the statement itself fails.
void Database::bind(sqlite3_stmt& statement, int index, std::int64_t value) {
  sqlite3_bind_int64(&statement, index, value);
}

void Database::bind(sqlite3_stmt& statement, int index, double value) {
  sqlite3_bind_double(&statement, index, value);
}

void Database::bind_nothing(sqlite3_stmt& statement, int index) {
  sqlite3_bind_null(&statement, index);
}

void Database::bind(sqlite3_stmt& statement, int index, std::string_view value) {
  // SQLITE_TRANSIENT is an old-style cast of -1: SQLite keeps a copy of its own.
  const auto copy = reinterpret_cast<sqlite3_destructor_type>(-1);
  sqlite3_bind_text(&statement, index, value.data(), static_cast<int>(value.size()), copy);
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  HF_CHECK(database.execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(database);
}

Result<void> Transaction::commit() {
  HF_CHECK(database_->execute("COMMIT"));
  std::ignore = database_.release();
  return {};
}

void Transaction::Rollback::operator()(Database* database) const {
  // Fails only where SQLite has rolled back by itself.
  std::ignore = database->execute("ROLLBACK");
}

}  // namespace hf::store
