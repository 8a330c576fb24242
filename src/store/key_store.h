// The keys of the server as they are kept: in the ledger's file, because their budgets are scopes
// of that ledger. Each function is one transaction; what it returns is durable.
//
// A secret is returned once, when it is made; the file has its digest. Names are unique among the
// keys that are not revoked. Keys are never removed: whoever reads an old bill still finds the
// name.
//
// Thread safety: none; several processes may use one file at a time. Times are seconds since 1970.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/key_ring.h"
#include "store/key_rows.h"
#include "store/key_spec.h"
#include "store/rows.h"
#include "store/sqlite.h"

namespace hf::store {

struct NewKey {
  Key key;
  std::string secret;
};

class KeyStore {
 public:
  // Opens the ledger at `path`, making it if need be. A damaged, foreign or newer one is an error
  // and is left as it is.
  static Result<KeyStore> open(const std::filesystem::path& path);

  // kInvalidInput: a value that check_spec refuses, an end that is past, or a name that is taken.
  Result<NewKey> add(const KeySpec& spec, std::int64_t now);

  // Another secret for the key of this name; the old one is dead at once, budgets go on.
  Result<NewKey> rotate(std::string_view name);

  // Ends a key for good. Its name is free again.
  Result<Key> revoke(std::string_view name, std::int64_t now);

  // Changes what `change` changes, but for the name; nothing if it fails. Limits hold for the
  // present period at once, for leases that are taken from then on. Another period begins with
  // nothing spent.
  Result<Key> set(std::string_view name, const std::function<Result<void>(KeySpec&)>& change,
                  std::int64_t now);

  // In order of their making, revoked ones too.
  Result<std::vector<Key>> list();

  // What a key has spent and leased in its present period: nothing if it has not asked yet.
  Result<ScopeRow> account(const Key& key, std::int64_t now);

  // All keys that are not revoked.
  Result<KeyRing> ring();

  // A number that grows with every change of a key by any process: whoever has a ring of another
  // generation needs a new one and defines the scopes of its keys anew. One look at an index.
  Result<std::int64_t> generation();

  // Removes the scopes of periods that ended more than 400 days ago, unless something is leased
  // from them, and says how many. What was spent in them stays in the scopes above.
  Result<std::int64_t> prune(std::int64_t now);

 private:
  explicit KeyStore(Database database) : database_(std::move(database)) {}

  // The row of a key that is not revoked. kInvalidInput: there is none.
  Result<KeyRow> row_of(std::string_view name);

  Database database_;
};

}  // namespace hf::store
