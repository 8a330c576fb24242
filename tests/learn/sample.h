// Examples whose truth is known: easy and hard words in the text, a category, and an attempt that
// tells half of what will come out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "learn/numeric.h"
#include "learn/trainer.h"

namespace hf::learn {

enum class Attempts : std::uint8_t { kNone, kRecorded };

// Prior inputs: two text scores (to be filled in), the length, noise. Attempt inputs: a hint,
// noise.
inline std::vector<Example> sample_examples(std::size_t count, Attempts attempts,
                                            std::uint64_t seed = 1) {
  const std::vector<std::string> words{"prove", "integral", "derive", "what", "colour", "name"};
  std::vector<Example> examples;
  Rng rng(seed);
  for (std::size_t i = 0; i < count; ++i) {
    Example example;
    example.query = "query " + std::to_string(i);
    double ease = 0;
    for (int word = 0; word < 8; ++word) {
      const std::uint64_t which = rng.below(words.size());
      example.text += words[which] + " ";
      ease += which < 3 ? -0.4 : 0.4;
    }
    example.text += std::to_string(i) + std::string(rng.below(4), 'x') + std::to_string(i * 7919);
    example.text += "abcdefghij"[i % 10];
    example.text += "klmnopqrst"[i / 10 % 10];
    example.text += "uvwxyzabcd"[i / 100 % 10];
    example.category = i % 3 == 0 ? "mathematics" : "arts";
    ease += i % 3 == 0 ? -0.5 : 0.5;
    const double length = static_cast<double>(example.text.size());
    example.prior = {0, 0, static_cast<float>(length), static_cast<float>(rng.unit())};
    example.edge = rng.unit() < sigmoid(ease) ? 1 : 0;
    example.cloud = rng.unit() < sigmoid(1 + ease / 2) ? 1 : 0;
    example.edge_tokens = exponential(3 + 0.02 * length + 0.4 * (rng.unit() - 0.5));
    example.cloud_tokens = 2 * *example.edge_tokens;
    example.relative_cost = 0.5 + rng.unit();
    if (attempts == Attempts::kRecorded) {
      const double hint = (rng.unit() < 0.8 ? *example.edge : 1 - *example.edge);
      example.kept = example.edge;
      example.attempt = {static_cast<float>(hint), static_cast<float>(rng.unit())};
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace hf::learn
