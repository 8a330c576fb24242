#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "base/rng.h"

namespace hf::engine {
namespace {

constexpr std::size_t kNestingMax = 200;  // llama.cpp parses grammars recursively.
constexpr std::size_t kShortList = 128;   // Tried against the grammar before everything is.

bool nests_too_deep(std::string_view grammar) {
  std::size_t open = 0;
  for (const char c : grammar) {
    if (c == '(' && ++open > kNestingMax) return true;
    if (c == ')' && open > 0) --open;
  }
  return false;
}

}  // namespace

Result<Sampler> Sampler::create(const Model& model, const Options& options) {
  Sampler sampler(model, options);
  if (!options.grammar.empty()) {
    if (options.grammar.size() > kGrammarBytesMax || nests_too_deep(options.grammar)) {
      return fail(Code::kInvalidInput, "The grammar is too large or nests too deep.");
    }
    try {
      sampler.grammar_.reset(
          llama_sampler_init_grammar(model.vocabulary(), options.grammar.c_str(), "root"));
    } catch (const std::exception&) {
      sampler.grammar_.reset();  // Said below.
    }
    if (sampler.grammar_ == nullptr) {
      return fail(Code::kInvalidInput,
                  "The grammar is not valid GBNF with a rule named 'root' and no left recursion.");
    }
  }
  if (options.temperature > 0) {
    sampler.chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    llama_sampler* chain = sampler.chain_.get();
    llama_sampler_chain_add(chain,
                            llama_sampler_init_temp(static_cast<float>(options.temperature)));
    if (options.top_p < 1) {
      llama_sampler_chain_add(chain,
                              llama_sampler_init_top_p(static_cast<float>(options.top_p), 1));
    }
    // Never LLAMA_DEFAULT_SEED, which means "a random one".
    const auto seed = static_cast<std::uint32_t>(mix(options.seed) >> 33U);
    llama_sampler_chain_add(chain, llama_sampler_init_dist(seed));
  }
  return sampler;
}

Result<Sampler::Choice> Sampler::choose(std::span<const float> logits) {
  try {
    const LogitScan seen = scan(logits);
    Choice choice;
    choice.token = pick(logits, seen);
    const auto logprob = [&](float logit) { return static_cast<double>(logit) - seen.log_sum; };
    choice.logprob = logprob(logits[static_cast<std::size_t>(choice.token)]);
    choice.margin = std::exp(logprob(seen.highest)) - std::exp(logprob(seen.second));
    choice.is_end = model_->is_end(choice.token);
    for (const auto& [token, logit] : highest(logits, options_.top_logprobs)) {
      choice.top.emplace_back(token, logprob(logit));
    }
    if (grammar_ != nullptr && !choice.is_end) {
      llama_sampler_accept(grammar_.get(), choice.token);
    }
    return choice;
  } catch (const std::exception& e) {
    return fail(Code::kInternal, std::string("Sampling failed: ") + e.what());
  }
}

Token Sampler::pick(std::span<const float> logits, const LogitScan& seen) {
  Token token = seen.best;
  if (chain_ != nullptr) {
    std::vector<llama_token_data> candidates(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      candidates[i] = {static_cast<Token>(i), logits[i], 0};
    }
    token = draw(candidates);
  }
  // The grammar seldom disagrees, and one token is far cheaper to test than all.
  if (grammar_ == nullptr || is_allowed(token)) return token;
  return pick_allowed(logits);
}

bool Sampler::is_allowed(Token token) {
  llama_token_data one{token, 0, 0};
  llama_token_data_array array{&one, 1, -1, false};
  llama_sampler_apply(grammar_.get(), &array);
  return std::isfinite(one.logit);
}

Token Sampler::pick_allowed(std::span<const float> logits) {
  if (chain_ == nullptr) {
    // The first allowed of the highest is the highest allowed.
    for (const auto& [token, logit] : highest(logits, kShortList)) {
      if (is_allowed(token)) return token;
    }
  }
  std::vector<llama_token_data> candidates(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates[i] = {static_cast<Token>(i), logits[i], 0};
  }
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(grammar_.get(), &array);
  candidates.resize(array.size);
  std::erase_if(candidates, [](const auto& entry) { return !std::isfinite(entry.logit); });
  if (candidates.empty()) return llama_vocab_eos(model_->vocabulary());
  if (chain_ != nullptr) return draw(candidates);
  return std::ranges::max_element(candidates, {}, &llama_token_data::logit)->id;
}

Token Sampler::draw(std::vector<llama_token_data>& candidates) {
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(chain_.get(), &array);
  const auto chosen = static_cast<std::size_t>(std::max<std::int64_t>(array.selected, 0));
  return array.data[chosen].id;
}

}  // namespace hf::engine
