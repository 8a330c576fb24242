#include "store/key_store.h"

#include <fmt/format.h>

#include <optional>

#include "store/schema.h"

namespace hf::store {
namespace {

constexpr std::int64_t kKeysMax = 10'000;
constexpr std::size_t kPrefixBytes = 10;
constexpr std::int64_t kKeptSeconds = std::int64_t{400} * 86'400;

// Gives the row a new secret and returns it.
Result<std::string> renew(KeyRow& row) {
  HF_TRY(std::string secret, new_secret());
  row.digest = hex_of(digest_of(secret));
  row.key.prefix = secret.substr(0, kPrefixBytes);
  return secret;
}

Result<void> check_end(const KeySpec& spec, std::int64_t now) {
  if (spec.expires_at.value_or(now + 1) > now) return {};
  return fail(Code::kInvalidInput,
              fmt::format("key '{}' would be expired already; give an end that is to come, or "
                          "revoke it",
                          spec.name));
}

}  // namespace

Result<KeyStore> KeyStore::open(const std::filesystem::path& path) {
  HF_TRY(Database database, open_ledger(path));
  return KeyStore(std::move(database));
}

Result<NewKey> KeyStore::add(const KeySpec& spec, std::int64_t now) {
  HF_CHECK(check_spec(spec));
  HF_CHECK(check_end(spec, now));
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(const std::optional<KeyRow> taken, find_key(database_, spec.name));
  if (taken) {
    return fail(Code::kInvalidInput,
                fmt::format("there is a key '{}' already; give another name, change it with 'keys "
                            "set', or revoke it",
                            spec.name));
  }
  HF_TRY(const std::int64_t count,
         database_.number("SELECT count(*) FROM key WHERE revoked_at IS NULL"));
  if (count >= kKeysMax) {
    return fail(Code::kOverloaded,
                fmt::format("there are {} keys, which is the most; revoke some", count));
  }
  KeyRow row;
  static_cast<KeySpec&>(row.key) = spec;
  row.key.created_at = now;
  HF_TRY(std::string secret, renew(row));
  HF_CHECK(save(database_, row));
  HF_CHECK(transaction.commit());
  return NewKey{std::move(row.key), std::move(secret)};
}

Result<NewKey> KeyStore::rotate(std::string_view name) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(KeyRow row, row_of(name));
  HF_TRY(std::string secret, renew(row));
  HF_CHECK(save(database_, row));
  HF_CHECK(transaction.commit());
  return NewKey{std::move(row.key), std::move(secret)};
}

Result<Key> KeyStore::revoke(std::string_view name, std::int64_t now) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(KeyRow row, row_of(name));
  row.key.revoked_at = now;
  HF_CHECK(save(database_, row));
  HF_CHECK(transaction.commit());
  return std::move(row.key);
}

Result<Key> KeyStore::set(std::string_view name,
                          const std::function<Result<void>(KeySpec&)>& change, std::int64_t now) {
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(KeyRow row, row_of(name));
  KeySpec spec = static_cast<const KeySpec&>(row.key);
  HF_CHECK(change(spec));
  spec.name = name;
  HF_CHECK(check_spec(spec));
  if (spec.expires_at != row.key.expires_at) HF_CHECK(check_end(spec, now));
  static_cast<KeySpec&>(row.key) = std::move(spec);
  HF_CHECK(save(database_, row));
  HF_TRY(std::optional<ScopeRow> scope, find_scope(database_, scope_of(row.key, now)));
  if (scope) {
    scope->usd_limit = row.key.usd;
    scope->tokens_limit = row.key.cloud_tokens;
    HF_CHECK(save(database_, *scope));
  }
  HF_CHECK(transaction.commit());
  return std::move(row.key);
}

Result<std::vector<Key>> KeyStore::list() {
  HF_TRY(const Transaction look, Transaction::begin(database_, Transaction::Kind::kRead));
  HF_TRY(std::vector<KeyRow> rows, all_keys(database_));
  std::vector<Key> keys;
  for (KeyRow& row : rows) keys.push_back(std::move(row.key));
  return keys;
}

Result<ScopeRow> KeyStore::account(const Key& key, std::int64_t now) {
  HF_TRY(const Transaction look, Transaction::begin(database_, Transaction::Kind::kRead));
  const std::string name = scope_of(key, now);
  HF_TRY(std::optional<ScopeRow> row, find_scope(database_, name));
  return std::move(row).value_or(
      ScopeRow{.name = name, .usd_limit = key.usd, .tokens_limit = key.cloud_tokens});
}

Result<KeyRing> KeyStore::ring() {
  HF_TRY(const Transaction look, Transaction::begin(database_, Transaction::Kind::kRead));
  HF_TRY(const std::int64_t version, key_version(database_));
  HF_TRY(std::vector<KeyRow> rows, all_keys(database_));
  std::vector<KeyRing::Entry> entries;
  for (KeyRow& row : rows) {
    if (row.key.revoked_at) continue;
    entries.push_back({digest_from(row.digest), std::move(row.key)});
  }
  return KeyRing(std::move(entries), version);
}

Result<std::int64_t> KeyStore::generation() {
  return key_version(database_);
}

Result<std::int64_t> KeyStore::prune(std::int64_t now) {
  const std::string oldest = day_text(now - kKeptSeconds);
  HF_TRY(Transaction transaction, Transaction::begin(database_, Transaction::Kind::kWrite));
  HF_TRY(const std::vector<ScopeRow> scopes, all_scopes(database_));
  std::int64_t removed = 0;
  for (const ScopeRow& scope : scopes) {
    const std::optional<std::string> last_day = last_day_of(scope.name);
    if (!last_day || *last_day >= oldest) continue;
    HF_TRY(Rows rows, database_.query("DELETE FROM scope WHERE id = ?1 "
                                      "AND NOT EXISTS (SELECT 1 FROM lease WHERE scope = ?1) "
                                      "AND NOT EXISTS (SELECT 1 FROM scope WHERE parent = ?1) "
                                      "RETURNING id",
                                      scope.id));
    HF_TRY(const bool is_gone, rows.next());
    if (is_gone) ++removed;
  }
  HF_CHECK(transaction.commit());
  return removed;
}

Result<KeyRow> KeyStore::row_of(std::string_view name) {
  HF_TRY(std::optional<KeyRow> row, find_key(database_, name));
  if (row) return *std::move(row);
  return fail(Code::kInvalidInput,
              fmt::format("there is no key '{}', or it is revoked; 'keys list' shows them", name));
}

}  // namespace hf::store
