// One look over a token's logits: the best ones and the sum that turns a logit into a probability.
// Vocabularies have 150,000 entries and this runs for every token, so it is one plain loop each.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "engine/prefix_cache.h"

namespace hf::engine {

struct LogitScan {
  Token best = 0;  // The first of the highest.
  float highest = 0;
  float second = 0;    // The next highest; equal to `highest` in a tie.
  double log_sum = 0;  // log of the sum of exp(logit): logprob = logit - log_sum.
};

// REQUIRES: at least two logits.
LogitScan scan(std::span<const float> logits);

// The `count` highest with their logits, highest first, ties by token.
std::vector<std::pair<Token, float>> highest(std::span<const float> logits, std::size_t count);

}  // namespace hf::engine
