#include "store/key_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/rng.h"
#include "store/rows.h"

namespace hf::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, version, digest, prefix, name, usd_limit, tokens_limit, period, "
    "requests_per_minute, in_flight, models, expires_at, created_at, revoked_at, seal FROM key ";

std::optional<std::int64_t> wide_of(const std::optional<std::uint32_t>& limit) {
  return limit ? std::optional(std::int64_t{*limit}) : std::nullopt;
}

// One a line: no name has a line's end.
std::string text_of(const std::vector<std::string>& models) {
  return fmt::format("{}", fmt::join(models, "\n"));
}

std::vector<std::string> models_of(std::string_view text) {
  std::vector<std::string> models;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    models.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return models;
}

std::int64_t seal_of(const KeyRow& row) {
  std::uint64_t state = mix(3);
  const auto add = [&](std::int64_t value) {
    state = mix(state ^ static_cast<std::uint64_t>(value));
  };
  const auto add_optional = [&](const std::optional<std::int64_t>& value) {
    add(std::int64_t{value.has_value()});
    add(value.value_or(0));
  };
  const auto add_text = [&](std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    for (const char c : text) add(std::int64_t{c});
  };
  const Key& key = row.key;
  add(key.id);
  add(row.version);
  for (const std::string_view text :
       {std::string_view(row.digest), std::string_view(key.prefix), std::string_view(key.name)}) {
    add_text(text);
  }
  add_optional(count_of(key.usd));
  add_optional(count_of(key.cloud_tokens));
  add(std::to_underlying(key.period));
  add_optional(wide_of(key.requests_per_minute));
  add_optional(wide_of(key.in_flight));
  add_text(text_of(key.models));
  add_optional(key.expires_at);
  add(key.created_at);
  add_optional(key.revoked_at);
  return static_cast<std::int64_t>(state);
}

// A bit that was flipped beyond the width is cut off and changes nothing.
std::optional<std::uint32_t> small_of(std::optional<std::int64_t> count) {
  return count ? std::optional(static_cast<std::uint32_t>(*count)) : std::nullopt;
}

Result<KeyRow> key_at(const Database& database, const Rows& rows) {
  KeyRow row;
  Key& key = row.key;
  key.id = rows.integer(0);
  row.version = rows.integer(1);
  row.digest = rows.text(2);
  key.prefix = rows.text(3);
  key.name = rows.text(4);
  key.usd = limit_of<PicoUsd>(rows.optional_integer(5));
  key.cloud_tokens = limit_of<Tokens>(rows.optional_integer(6));
  key.period = static_cast<Period>(rows.integer(7));
  key.requests_per_minute = small_of(rows.optional_integer(8));
  key.in_flight = small_of(rows.optional_integer(9));
  key.models = models_of(rows.text(10));
  key.expires_at = rows.optional_integer(11);
  key.created_at = rows.integer(12);
  key.revoked_at = rows.optional_integer(13);
  if (rows.integer(14) != seal_of(row)) {
    return std::unexpected(database.damaged(fmt::format("key {} was altered", key.id)));
  }
  return row;
}

}  // namespace

Result<std::vector<KeyRow>> all_keys(Database& database) {
  HF_TRY(Rows rows, database.query(std::string(kColumns) + "ORDER BY id"));
  std::vector<KeyRow> found;
  for (;;) {
    HF_TRY(const bool is_row, rows.next());
    if (!is_row) return found;
    HF_TRY(found.emplace_back(), key_at(database, rows));
  }
}

Result<std::optional<KeyRow>> find_key(Database& database, std::string_view name) {
  HF_TRY(Rows rows,
         database.query(std::string(kColumns) + "WHERE name = ? AND revoked_at IS NULL", name));
  HF_TRY(const bool is_row, rows.next());
  if (!is_row) return std::nullopt;
  return key_at(database, rows);
}

Result<std::int64_t> key_version(Database& database) {
  return database.number("SELECT coalesce(max(version), 0) FROM key");
}

Result<void> save(Database& database, KeyRow& row) {
  HF_TRY(row.version, key_version(database));
  ++row.version;
  Key& key = row.key;
  if (key.id == 0) {
    HF_CHECK(database.run(
        "INSERT INTO key VALUES (NULL, ?, ?, '', ?, NULL, NULL, 0, NULL, NULL, '', "
        "NULL, ?, NULL, 0)",
        row.version, std::string_view(row.digest), std::string_view(key.name), key.created_at));
    key.id = database.last_insert_id();
  }
  const std::string models = text_of(key.models);
  return database.run(
      "UPDATE key SET version = ?, digest = ?, prefix = ?, usd_limit = ?, tokens_limit = ?, "
      "period = ?, requests_per_minute = ?, in_flight = ?, models = ?, expires_at = ?, "
      "revoked_at = ?, seal = ? WHERE id = ?",
      row.version, std::string_view(row.digest), std::string_view(key.prefix), count_of(key.usd),
      count_of(key.cloud_tokens), std::int64_t{std::to_underlying(key.period)},
      wide_of(key.requests_per_minute), wide_of(key.in_flight), std::string_view(models),
      key.expires_at, key.revoked_at, seal_of(row), key.id);
}

}  // namespace hf::store
