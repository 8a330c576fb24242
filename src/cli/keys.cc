#include "cli/keys.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/number.h"
#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/history.h"
#include "cli/output.h"
#include "config/config.h"
#include "store/key_store.h"
#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::cli {
namespace {

namespace chrono = std::chrono;
namespace fs = std::filesystem;
namespace json = wire::json;

constexpr std::string_view kNone = "none";

// ---- what was typed ----

template <class Number>
std::optional<Number> whole(std::string_view text) {
  const auto value = parse_number<Number>(text);
  return value && *value >= 0 ? value : std::nullopt;
}

Result<Tokens> parse_tokens(std::string_view text) {
  if (const auto count = whole<std::int64_t>(text)) return Tokens(*count);
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is not a number of tokens; write for example 100000", text));
}

Result<std::uint32_t> parse_count(std::string_view text) {
  if (const auto count = whole<std::uint32_t>(text)) return *count;
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is not a number of requests; write for example 60", text));
}

// "2027-01-31": its begin in UTC; "30d": from now.
Result<std::int64_t> parse_end(std::string_view text, std::int64_t now) {
  const auto year = whole<int>(text.substr(0, 4));
  if (text.size() == 10 && year && text[4] == '-' && text[7] == '-') {
    const auto month = whole<unsigned>(text.substr(5, 2));
    const auto day = whole<unsigned>(text.substr(8, 2));
    const chrono::year_month_day date(chrono::year(*year), chrono::month(month.value_or(0)),
                                      chrono::day(day.value_or(0)));
    if (date.ok()) return chrono::sys_seconds(chrono::sys_days(date)).time_since_epoch().count();
  }
  if (const auto after = parse_duration(text)) {
    return now + chrono::duration_cast<chrono::seconds>(*after).count();
  }
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is no end of a key; write for example 30d or 2027-01-31", text));
}

// Sets `value` to what was typed, if anything was.
template <class T, class Parse>
Result<void> read(std::optional<T>& value, const std::string& text, Parse parse) {
  if (text.empty()) return {};
  if (text == kNone) {
    value.reset();
    return {};
  }
  HF_TRY(value, parse(text));
  return {};
}

Result<void> read_models(std::vector<std::string>& models, const std::vector<std::string>& typed) {
  if (typed.empty()) return {};
  models = typed;
  if (std::ranges::find(typed, kNone) == typed.end()) return {};
  if (typed.size() > 1) {
    return fail(Code::kInvalidInput, "--model none means all models; name no other beside it");
  }
  models.clear();
  return {};
}

Result<void> read_limits(store::KeySpec& spec, const KeyLimits& limits, std::int64_t now) {
  HF_CHECK(read(spec.usd, limits.usd, parse_usd));
  HF_CHECK(read(spec.cloud_tokens, limits.tokens, parse_tokens));
  HF_CHECK(read(spec.requests_per_minute, limits.requests_per_minute, parse_count));
  HF_CHECK(read(spec.in_flight, limits.in_flight, parse_count));
  HF_CHECK(read(spec.expires_at, limits.expires,
                [&](std::string_view text) { return parse_end(text, now); }));
  if (limits.period == "day") spec.period = store::Period::kDay;
  if (limits.period == "month") spec.period = store::Period::kMonth;
  if (limits.period == "total") spec.period = store::Period::kTotal;
  return read_models(spec.models, limits.models);
}

// ---- what is printed ----

std::string_view word_for(store::Period period) {
  switch (period) {
    case store::Period::kDay:
      return "day";
    case store::Period::kMonth:
      return "month";
    case store::Period::kTotal:
      break;
  }
  return "total";
}

std::string_view word_for(store::KeyState state) {
  switch (state) {
    case store::KeyState::kUsable:
      return "usable";
    case store::KeyState::kExpired:
      return "expired";
    case store::KeyState::kRevoked:
      break;
  }
  return "revoked";
}

std::string time_text(std::int64_t at) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(at)));
}

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

template <class Unit>
json::object axis_json(const std::optional<Unit>& limit, Unit spent, Unit leased) {
  return {{"limit", limit ? json::value(limit->count()) : json::value(nullptr)},
          {"spent", spent.count()},
          {"leased", leased.count()}};
}

json::object to_json(const store::Key& key, const store::ScopeRow& account, std::int64_t now) {
  return {{"name", key.name},
          {"id", key.id},
          {"prefix", key.prefix},
          {"state", word_for(state_of(key, now))},
          {"created_at", key.created_at},
          {"expires_at", or_null(key.expires_at)},
          {"revoked_at", or_null(key.revoked_at)},
          {"period", word_for(key.period)},
          {"period_ends_at", or_null(store::period_end(key.period, now))},
          {"scope", account.name},
          {"pico_usd", axis_json(key.usd, account.spent.usd, account.leased.usd)},
          {"cloud_tokens",
           axis_json(key.cloud_tokens, account.spent.cloud_tokens, account.leased.cloud_tokens)},
          {"requests_per_minute", or_null(key.requests_per_minute)},
          {"in_flight", or_null(key.in_flight)},
          {"models", json::value_from(key.models)}};
}

// What a key has besides its budgets; nothing if it has nothing.
std::string conditions(const store::Key& key) {
  std::vector<std::string> parts;
  if (key.requests_per_minute) {
    parts.push_back(fmt::format("{} requests a minute", *key.requests_per_minute));
  }
  if (key.in_flight) parts.push_back(fmt::format("{} at once", *key.in_flight));
  if (!key.models.empty()) parts.push_back(fmt::format("only {}", fmt::join(key.models, " ")));
  if (key.expires_at) parts.push_back("until " + time_text(*key.expires_at));
  if (key.revoked_at) parts.push_back("revoked " + time_text(*key.revoked_at));
  return parts.empty() ? "" : fmt::format("  {}\n", fmt::join(parts, ", "));
}

void print_row(const store::Key& key, const store::ScopeRow& account, std::int64_t now) {
  const std::string usd = key.usd ? wire::usd_text(*key.usd) : std::string(kNone);
  const std::string tokens =
      key.cloud_tokens ? fmt::format("{}", key.cloud_tokens->count()) : std::string(kNone);
  fmt::print("{:<20} {:<11} {:<8} {:<6} {:>12} {:>12} {:>12} {:>12}\n", key.name, key.prefix,
             word_for(state_of(key, now)), word_for(key.period), wire::usd_text(account.spent.usd),
             usd, account.spent.cloud_tokens.count(), tokens);
  fmt::print("{}", conditions(key));
}

// ---- the commands ----

Result<int> list(store::KeyStore& keys, const fs::path& path, bool as_json, std::int64_t now) {
  HF_TRY(const std::vector<store::Key> all, keys.list());
  json::array rows;
  if (!as_json) {
    fmt::print("{}\n\n{:<20} {:<11} {:<8} {:<6} {:>12} {:>12} {:>12} {:>12}\n", path.string(),
               "name", "begins", "state", "period", "USD spent", "of", "tokens spent", "of");
  }
  for (const store::Key& key : all) {
    HF_TRY(const store::ScopeRow account, keys.account(key, now));
    if (as_json) {
      rows.push_back(to_json(key, account, now));
    } else {
      print_row(key, account, now);
    }
  }
  if (as_json) {
    print_json({{"version", 1}, {"store", path.string()}, {"keys", std::move(rows)}});
  }
  return kAnswered;
}

Result<int> show_secret(store::KeyStore& keys, const store::NewKey& made, bool as_json,
                        std::int64_t now) {
  if (as_json) {
    HF_TRY(const store::ScopeRow account, keys.account(made.key, now));
    json::object key = to_json(made.key, account, now);
    key["secret"] = made.secret;
    print_json({{"version", 1}, {"key", std::move(key)}});
  } else {
    fmt::print("{}\n", made.secret);
  }
  show(stderr, fmt::format("hybridflow: this is key '{}', shown this once: keep it, nobody can "
                           "show it again\n",
                           made.key.name));
  return kAnswered;
}

Result<int> show_key(store::KeyStore& keys, const store::Key& key, bool as_json, std::int64_t now) {
  if (as_json) {
    HF_TRY(const store::ScopeRow account, keys.account(key, now));
    print_json({{"version", 1}, {"key", to_json(key, account, now)}});
  } else {
    fmt::print("key '{}' is {}\n{}", key.name, word_for(state_of(key, now)), conditions(key));
  }
  return kAnswered;
}

bool is_given(const KeyLimits& limits) {
  return !(limits.usd.empty() && limits.tokens.empty() && limits.period.empty() &&
           limits.requests_per_minute.empty() && limits.in_flight.empty() &&
           limits.models.empty() && limits.expires.empty());
}

Result<int> act(const KeysOptions& options, std::int64_t now) {
  HF_TRY(const fs::path path, ledger_path(options.place));
  store::KeySpec spec{.name = options.name};
  HF_CHECK(read_limits(spec, options.limits, now));
  if (options.action == KeysAction::kSet && !is_given(options.limits)) {
    return fail(Code::kInvalidInput, "there is nothing to set; give a limit, for example --usd 5");
  }
  if (options.action == KeysAction::kAdd) {
    HF_CHECK(store::check_spec(spec));
  } else {
    HF_CHECK(expect_ledger(path));
  }
  HF_TRY(store::KeyStore keys, store::KeyStore::open(path));
  switch (options.action) {
    case KeysAction::kAdd: {
      HF_TRY(const store::NewKey made, keys.add(spec, now));
      return show_secret(keys, made, options.json, now);
    }
    case KeysAction::kRotate: {
      HF_TRY(const store::NewKey made, keys.rotate(options.name));
      return show_secret(keys, made, options.json, now);
    }
    case KeysAction::kRevoke: {
      HF_TRY(const store::Key key, keys.revoke(options.name, now));
      return show_key(keys, key, options.json, now);
    }
    case KeysAction::kSet: {
      const auto change = [&](store::KeySpec& known) {
        return read_limits(known, options.limits, now);
      };
      HF_TRY(const store::Key key, keys.set(options.name, change, now));
      return show_key(keys, key, options.json, now);
    }
    case KeysAction::kList:
      break;
  }
  return list(keys, path, options.json, now);
}

}  // namespace

int run_keys(const KeysOptions& options) {
  const auto done = act(options, seconds_now());
  return done ? *done : complain_of(done.error());
}

}  // namespace hf::cli
