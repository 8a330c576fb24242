// A file that one SQLite database of this program lives in: made for its owner only, told from the
// files of others, brought up to date step by step.
//
// Whatever is not plainly a sound file of a known version is refused and left as it is. What is in
// the tables is not looked at here. Thread safety: none needed, there is no state.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "store/sqlite.h"

namespace hf::store {

// What all files of one kind have in common.
struct FileKind {
  std::int64_t application_id = 0;          // Of SQLite's header; tells it from other programs'.
  std::span<const char* const> migrations;  // Step i leads from version i to i + 1.
  const char* settings = "";                // Of a connection; nothing in it writes.
};

// Opens a file, making it (0600) and its folders (0700) if need be, with a write-ahead log.
Result<Database> open_file(const DatabaseFile& file, const FileKind& kind);

// Settings and tables for a new database in memory.
Result<void> set_up(Database& database, const FileKind& kind);

// SQLite's own check of the whole file. REQUIRES: inside a transaction.
Result<void> check_integrity(Database& database);

}  // namespace hf::store
