// Arithmetic on both axes of money at once, for this folder.
#pragma once

#include <algorithm>
#include <limits>

#include "model/budget.h"

namespace hf::store {

inline constexpr Amounts kNothing{};

// The sum of two counts that are not negative, or the most there can be.
template <class Unit>
Unit plus(Unit a, Unit b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a.count(), b.count(), &sum)) return Unit(sum);
  return Unit(std::numeric_limits<std::int64_t>::max());
}

inline Amounts plus(const Amounts& a, const Amounts& b) {
  return {plus(a.usd, b.usd), plus(a.cloud_tokens, b.cloud_tokens)};
}

inline Amounts minus(Amounts a, const Amounts& b) {
  return a -= b;
}

inline bool within(const Amounts& part, const Amounts& whole) {
  return part.usd <= whole.usd && part.cloud_tokens <= whole.cloud_tokens;
}

inline Amounts smaller(const Amounts& a, const Amounts& b) {
  return {std::min(a.usd, b.usd), std::min(a.cloud_tokens, b.cloud_tokens)};
}

inline Amounts larger(const Amounts& a, const Amounts& b) {
  return {std::max(a.usd, b.usd), std::max(a.cloud_tokens, b.cloud_tokens)};
}

inline bool is_amount(const Amounts& amounts) {
  return within(kNothing, amounts);
}

}  // namespace hf::store
