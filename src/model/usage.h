// Tokens of one call, as the endpoint reported them, and what they cost.
#pragma once

#include <algorithm>

#include "base/units.h"
#include "model/endpoint.h"

namespace hf {

struct Usage {
  Tokens prompt;  // Cached ones included.
  Tokens cached;  // Part of `prompt`.
  Tokens completion;

  [[nodiscard]] Tokens total() const { return prompt + completion; }
  Usage& operator+=(const Usage& other) {
    prompt += other.prompt;
    cached += other.cached;
    completion += other.completion;
    return *this;
  }
  friend bool operator==(const Usage&, const Usage&) = default;
};

// Cost at list price. Cached tokens count at most as many as there were prompt tokens.
inline PicoUsd cost_of(const Price& price, const Usage& usage) {
  const Tokens cached = std::clamp(usage.cached, Tokens(0), usage.prompt);
  return price.prompt * (usage.prompt - cached).count() + price.cached * cached.count() +
         price.completion * usage.completion.count();
}

}  // namespace hf
