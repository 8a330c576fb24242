// SQLite as values and Results: a connection, statements that are prepared once, transactions.
//
// Knows nothing of what is in the file but how people call it. The only file with SQLite's own
// header is sqlite.cc.
//
// Thread safety: none; one connection is used by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hf::store {

// Where a database is and how messages call it.
struct DatabaseFile {
  std::filesystem::path path;
  std::string_view name = "ledger";
  std::string_view when_full = "nothing more is spent until there is space";
  std::string_view manual = "docs/ledger.md";
};

// One run of a statement; it ends with this object.
class Rows {
 public:
  Rows(sqlite3_stmt& statement, const DatabaseFile& file) : statement_(&statement), file_(&file) {}

  // Goes to the next row; false when there is none.
  Result<bool> next();

  // Columns of the current row, from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::optional<double> optional_real(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  struct Reset {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Reset> statement_;
  const DatabaseFile* file_;
};

class Database {
 public:
  // Opens an existing file for reading and writing. Waits up to ten seconds for a lock of others.
  static Result<Database> open(const DatabaseFile& file);

  // An empty one that lives as long as this connection.
  static Result<Database> open_in_memory();

  // Runs statements without parameters and drops their rows.
  Result<void> execute(const char* sql);

  // Begins one statement. Arguments are std::int64_t, double, std::optional of either, or
  // std::string_view.
  // REQUIRES: no other run of the same text is open.
  template <class... Args>
  Result<Rows> query(std::string_view sql, const Args&... args) {
    HF_TRY(sqlite3_stmt * statement, prepared(sql));
    [[maybe_unused]] int index = 0;
    (bind(*statement, ++index, args), ...);
    return Rows(*statement, *file_);
  }

  // Runs one statement to its end and drops its rows.
  template <class... Args>
  Result<void> run(std::string_view sql, const Args&... args) {
    HF_TRY(Rows rows, query(sql, args...));
    for (;;) {
      HF_TRY(const bool is_row, rows.next());
      if (!is_row) return {};
    }
  }

  // The first column of the only row of a statement that always has one.
  Result<std::int64_t> number(std::string_view sql);

  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] bool is_read_only() const;
  [[nodiscard]] const DatabaseFile& file() const { return *file_; }
  [[nodiscard]] const std::filesystem::path& path() const { return file_->path; }

  // What a person should know about a file that contradicts itself.
  [[nodiscard]] Error damaged(std::string_view how) const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  Database(const DatabaseFile& file, sqlite3* connection);
  Result<sqlite3_stmt*> prepared(std::string_view sql);
  static void bind(sqlite3_stmt& statement, int index, std::int64_t value);
  static void bind(sqlite3_stmt& statement, int index, double value);
  template <class Number>
  static void bind(sqlite3_stmt& statement, int index, const std::optional<Number>& value) {
    if (value) return bind(statement, index, *value);
    bind_nothing(statement, index);
  }
  static void bind_nothing(sqlite3_stmt& statement, int index);
  static void bind(sqlite3_stmt& statement, int index, std::string_view value);

  std::unique_ptr<const DatabaseFile> file_;  // Where it stays when this object moves.
  std::unique_ptr<sqlite3, Close> connection_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

// A transaction that is undone unless it is committed.
class Transaction {
 public:
  // `kWrite` waits for other writers now, so that what is read stays true until the commit.
  enum class Kind : std::uint8_t { kRead, kWrite };
  static Result<Transaction> begin(Database& database, Kind kind);
  Result<void> commit();

 private:
  struct Rollback {
    void operator()(Database* database) const;
  };
  explicit Transaction(Database& database) : database_(&database) {}
  std::unique_ptr<Database, Rollback> database_;
};

}  // namespace hf::store
