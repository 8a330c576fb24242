// Hard limits of a scope, and the typed words for "no".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace hf {

// An absent limit does not bind. The deadline is counted from the moment the query arrives.
struct Budget {
  std::optional<PicoUsd> usd;
  std::optional<Tokens> cloud_tokens;
  std::optional<Duration> deadline;

  friend bool operator==(const Budget&, const Budget&) = default;
};

// What one call may cost at worst, or did cost: the two axes that are reserved and settled.
struct Amounts {
  PicoUsd usd;
  Tokens cloud_tokens;

  Amounts& operator+=(const Amounts& other) {
    usd += other.usd;
    cloud_tokens += other.cloud_tokens;
    return *this;
  }
  Amounts& operator-=(const Amounts& other) {
    usd -= other.usd;
    cloud_tokens -= other.cloud_tokens;
    return *this;
  }
  friend bool operator==(const Amounts&, const Amounts&) = default;
};

enum class Axis : std::uint8_t { kUsd, kCloudTokens };

// Why a reservation was refused. `limit`, `spent`, `held` and `asked` are counts of the axis:
// picodollars or tokens. Waiting helps only if what is held may yet be returned.
struct Refusal {
  std::string scope;  // "query", "process", ...
  Axis axis = Axis::kUsd;
  std::int64_t limit = 0;
  std::int64_t spent = 0;
  std::int64_t held = 0;
  std::int64_t asked = 0;
  std::string trouble = {};  // Instead of all that: why it cannot even be known.

  [[nodiscard]] bool may_fit_later() const { return spent + asked <= limit; }
};

// State of one scope on the reserved axes, at one instant.
struct BudgetState {
  std::optional<PicoUsd> usd_limit;
  std::optional<Tokens> cloud_tokens_limit;
  Amounts spent;
  Amounts held;
};

}  // namespace hf
