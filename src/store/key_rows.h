// The rows of table `key` as values. Like the ledger's other rows (rows.h) each carries a seal over
// its columns: a flipped bit must not raise a budget or bring a revoked key back.
//
// Every function here runs inside the caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/key_spec.h"
#include "store/sqlite.h"

namespace hf::store {

struct KeyRow {
  Key key;
  std::string digest;        // Of the secret, in hexadecimal.
  std::int64_t version = 0;  // Of all keys, when this one was last changed.
};

// In order of their ids.
Result<std::vector<KeyRow>> all_keys(Database& database);

// The key of this name that is not revoked; there is at most one.
Result<std::optional<KeyRow>> find_key(Database& database, std::string_view name);

// The version of all keys: it grows with every change of any key.
Result<std::int64_t> key_version(Database& database);

// Writes a row with the next version; one with id 0 is new and gets its id.
Result<void> save(Database& database, KeyRow& row);

}  // namespace hf::store
