// Durations and dollars as people write them.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "config/config.h"

namespace hf {
namespace {

// A decimal number without sign or exponent as units of 10^-`digits`; nullopt if it is anything
// else or does not fit. Digits beyond `digits` must be zero.
std::optional<std::int64_t> parse_decimal(std::string_view text, int digits) {
  std::int64_t value = 0;
  int decimals = -1;  // -1: before the point.
  bool has_digit = false;
  for (const char c : text) {
    if (c == '.' && decimals < 0) {
      decimals = 0;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    has_digit = true;
    if (decimals >= digits) {
      if (c != '0') return std::nullopt;
      continue;
    }
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, c - '0', &value)) {
      return std::nullopt;
    }
    if (decimals >= 0) ++decimals;
  }
  if (!has_digit) return std::nullopt;
  for (int i = decimals < 0 ? 0 : decimals; i < digits; ++i) {
    if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
  }
  return value;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits{
      {{"ms", 1'000'000},
       {"s", 1'000'000'000},
       {"m", 60'000'000'000},
       {"h", 3'600'000'000'000},
       {"d", 86'400'000'000'000}}};
  for (const auto& [unit, nanoseconds] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto thousandths = parse_decimal(text.substr(0, text.size() - unit.size()), 3);
    // A year is more than anyone waits, and keeps every later sum far from overflow.
    if (!thousandths || *thousandths > 31'536'000'000 ||
        *thousandths * (nanoseconds / 1'000'000) > 31'536'000'000'000)
      break;
    return Duration(*thousandths * (nanoseconds / 1000));
  }
  return fail(
      Code::kInvalidInput,
      fmt::format("'{}' is not a duration; write for example 250ms, 20s, 1.5s, 2m, 1h or 30d.",
                  text));
}

Result<PicoUsd> parse_usd(std::string_view text) {
  const auto pico = parse_decimal(text, 12);
  if (!pico) {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is not an amount of dollars; write for example 0.01.", text));
  }
  return PicoUsd(*pico);
}

}  // namespace hf
