// Keys of the server: who may ask, how much, and until when. Values and rules only; where they are
// kept is key_store.h's matter, and how a secret is told from others key_ring.h's.
//
// Thread safety: none needed, there is no state. Times are seconds since 1970, in UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "store/ledger_file.h"

namespace hf::store {

// How long a key's budgets last; then they are full again.
enum class Period : std::uint8_t { kDay, kMonth, kTotal };  // Their numbers are in files.

// An absent limit does not bind.
struct KeySpec {
  std::string name;  // 1 to 64 of A-Z a-z 0-9 . _ -
  std::optional<PicoUsd> usd = {};
  std::optional<Tokens> cloud_tokens = {};
  Period period = Period::kMonth;
  std::optional<std::uint32_t> requests_per_minute = {};
  std::optional<std::uint32_t> in_flight = {};
  std::vector<std::string> models = {};  // That it may name; empty: all.
  std::optional<std::int64_t> expires_at = {};

  friend bool operator==(const KeySpec&, const KeySpec&) = default;
};

struct Key : KeySpec {
  std::int64_t id = 0;  // Never given again; a rotated key keeps it, and so its budgets.
  std::string prefix;   // The first ten characters of the secret, for people who look for a key.
  std::int64_t created_at = 0;
  std::optional<std::int64_t> revoked_at = {};

  friend bool operator==(const Key&, const Key&) = default;
};

enum class KeyState : std::uint8_t { kUsable, kExpired, kRevoked };
KeyState state_of(const Key& key, std::int64_t now);

// Whether it may name this model.
bool may_use(const Key& key, std::string_view model);

// The rules of a key's values.
Result<void> check_spec(const KeySpec& spec);

// The durable scope that a key spends from at `now`: "key:NAME#ID:2026-11-23",
// "key:NAME#ID:2026-11" or "key:NAME#ID:total". No two keys ever share one, even if they have the
// same name in turn.
std::string scope_of(const Key& key, std::int64_t now);

// The same with the key's limits, for LeaseStore::define.
ScopeSpec scope_spec(const Key& key, std::int64_t now, std::optional<std::string> parent = {});

// When the period that `now` is in is over: the first second of the next. None for kTotal.
std::optional<std::int64_t> period_end(Period period, std::int64_t now);

// The last day, "2026-11-23", of the period in the name of a key's scope; none for any other name.
std::optional<std::string> last_day_of(std::string_view scope);

// A day as people write it: "2026-11-23".
std::string day_text(std::int64_t at);

}  // namespace hf::store
