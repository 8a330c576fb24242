#include "store/key_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace hf::store {
namespace {

namespace chrono = std::chrono;

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kModelsMax = 64;
constexpr std::size_t kModelBytesMax = 200;
constexpr std::string_view kScopeBegin = "key:";
// The last second of the year 9999: later ones have no four digits.
constexpr std::int64_t kLatest = 253'402'300'799;

chrono::year_month_day date_of(std::int64_t at) {
  const chrono::sys_seconds time{chrono::seconds(std::clamp<std::int64_t>(at, 0, kLatest))};
  return chrono::floor<chrono::days>(time);
}

std::int64_t seconds_at(chrono::year_month_day date) {
  return chrono::sys_seconds(chrono::sys_days(date)).time_since_epoch().count();
}

std::string text_of(chrono::year_month_day date) {
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

bool is_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, is_plain);
}

bool is_model(std::string_view name) {
  const auto is_control = [](char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; };
  return !name.empty() && name.size() <= kModelBytesMax && is_utf8(name) &&
         std::ranges::none_of(name, is_control);
}

// Whether `text` is like `pattern`, in which 0 stands for any digit.
bool is_like(std::string_view text, std::string_view pattern) {
  return std::ranges::equal(
      text, pattern, [](char c, char p) { return p == '0' ? c >= '0' && c <= '9' : c == p; });
}

}  // namespace

KeyState state_of(const Key& key, std::int64_t now) {
  if (key.revoked_at) return KeyState::kRevoked;
  if (key.expires_at && now >= *key.expires_at) return KeyState::kExpired;
  return KeyState::kUsable;
}

bool may_use(const Key& key, std::string_view model) {
  return key.models.empty() || std::ranges::find(key.models, model) != key.models.end();
}

Result<void> check_spec(const KeySpec& spec) {
  const auto refuse = [](std::string message) {
    return fail(Code::kInvalidInput, std::move(message));
  };
  if (!is_name(spec.name)) {
    return refuse(fmt::format("a key needs a name of 1 to {} letters, digits, '.', '_' or '-'",
                              kNameBytesMax));
  }
  if (spec.usd.value_or(PicoUsd(0)) < PicoUsd(0) ||
      spec.cloud_tokens.value_or(Tokens(0)) < Tokens(0)) {
    return refuse(fmt::format("the budgets of key '{}' are below zero; give 0 or more", spec.name));
  }
  if (spec.requests_per_minute == 0 || spec.in_flight == 0) {
    return refuse(fmt::format(
        "key '{}' could ask nothing with a limit of 0 requests; give 1 or more, or revoke it",
        spec.name));
  }
  if (spec.models.size() > kModelsMax || !std::ranges::all_of(spec.models, is_model)) {
    return refuse(
        fmt::format("key '{}' may have up to {} models, each named by 1 to {} printable "
                    "bytes",
                    spec.name, kModelsMax, kModelBytesMax));
  }
  if (spec.expires_at && (*spec.expires_at < 0 || *spec.expires_at > kLatest)) {
    return refuse(fmt::format("key '{}' needs an end between the years 1970 and 9999", spec.name));
  }
  return {};
}

std::string scope_of(const Key& key, std::int64_t now) {
  std::string period = "total";
  if (key.period != Period::kTotal) {
    period = day_text(now).substr(0, key.period == Period::kDay ? 10 : 7);
  }
  return fmt::format("{}{}#{}:{}", kScopeBegin, key.name, key.id, period);
}

ScopeSpec scope_spec(const Key& key, std::int64_t now, std::optional<std::string> parent) {
  return {.name = scope_of(key, now),
          .parent = std::move(parent),
          .limits = {.usd = key.usd, .cloud_tokens = key.cloud_tokens, .deadline = {}}};
}

std::optional<std::int64_t> period_end(Period period, std::int64_t now) {
  const chrono::year_month_day date = date_of(now);
  switch (period) {
    case Period::kDay:
      return seconds_at(chrono::sys_days(date) + chrono::days(1));
    case Period::kMonth:
      return seconds_at(date.year() / date.month() / 1 + chrono::months(1));
    case Period::kTotal:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> last_day_of(std::string_view scope) {
  const std::size_t colon = scope.rfind(':');
  if (!scope.starts_with(kScopeBegin) || colon == std::string_view::npos ||
      scope.find('#') >= colon) {
    return std::nullopt;
  }
  const std::string_view period = scope.substr(colon + 1);
  if (is_like(period, "0000-00-00")) return std::string(period);
  // No month has more days; for comparing, that is all that matters.
  if (is_like(period, "0000-00")) return std::string(period) + "-31";
  return std::nullopt;
}

std::string day_text(std::int64_t at) {
  return text_of(date_of(at));
}

}  // namespace hf::store
