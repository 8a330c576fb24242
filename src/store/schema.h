// The ledger file: where it is, how it is made, brought up to date and checked.
//
// Whatever is not plainly a sound ledger of a known version is refused and left as it is.
#pragma once

#include <filesystem>
#include <functional>

#include "base/result.h"
#include "store/sqlite.h"

namespace hf::store {

using Getenv = std::function<const char*(const char*)>;

// $HYBRIDFLOW_STATE/ledger.db, $XDG_STATE_HOME/hybridflow/ledger.db or the same below
// ~/.local/state: the first that the environment knows.
Result<std::filesystem::path> default_ledger_path(const Getenv& getenv);

// Opens a ledger, making the file (0600) and its folders (0700) if need be, and checks it whole.
Result<Database> open_ledger(const std::filesystem::path& path);

// A new ledger that lives in memory, as long as this connection.
Result<Database> open_ledger_in_memory();

// Whether a ledger is sound: its pages, its rows' seals, its sums.
Result<void> check_ledger(Database& database);

}  // namespace hf::store
