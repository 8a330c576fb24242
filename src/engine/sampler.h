// Chooses the next token of one sequence from its logits. Thread safety: none.
#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/logits.h"
#include "engine/model.h"

namespace hf::engine {

class Sampler {
 public:
  static constexpr std::size_t kGrammarBytesMax = 64 * 1024;

  struct Options {
    double temperature = 1;  // 0: always the likeliest token.
    double top_p = 1;
    std::uint64_t seed = 0;
    std::string grammar;  // GBNF; empty: none.
    std::size_t top_logprobs = 0;
  };

  // A grammar that is wrong, too large or too deep is an error. `model` must outlive the sampler.
  static Result<Sampler> create(const Model& model, const Options& options);

  // Probabilities are the model's own, before temperature and grammar.
  struct Choice {
    Token token = 0;
    double logprob = 0;
    double margin = 0;  // Between the two likeliest tokens, as probabilities.
    std::vector<std::pair<Token, double>> top;
    bool is_end = false;  // The token ends the answer, or the grammar allows none.
  };
  Result<Choice> choose(std::span<const float> logits);

 private:
  Sampler(const Model& model, const Options& options) : model_(&model), options_(options) {}

  [[nodiscard]] Token pick(std::span<const float> logits, const LogitScan& scan);
  [[nodiscard]] bool is_allowed(Token token);
  // The token the grammar allows, or an end token if it allows nothing.
  [[nodiscard]] Token pick_allowed(std::span<const float> logits);
  [[nodiscard]] Token draw(std::vector<llama_token_data>& candidates);

  const Model* model_;
  Options options_;
  llama_sampler_ptr chain_;    // Null when greedy.
  llama_sampler_ptr grammar_;  // Null if none.
};

}  // namespace hf::engine
