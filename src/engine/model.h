// A loaded GGUF model: its vocabulary and chat template. Contexts and decoding are elsewhere.
//
// Every llama.cpp exception and null pointer ends here as an Error. Thread safety: load on one
// thread; then every const function may be called from any thread.
#pragma once

#include <llama-cpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/prefix_cache.h"
#include "model/chat.h"

namespace hf::engine {

// Reads only the header of a model file: whether it exists and is a GGUF file at all.
Result<void> check_model_file(const std::string& path);

class Model {
 public:
  // Loading takes seconds and gives up with kCancelled soon after `stop` becomes true.
  static Result<std::unique_ptr<Model>> load(const std::string& path,
                                             const std::atomic<bool>& stop);

  // The tokens of a plain text, with the model's begin mark if it wants one.
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text) const;
  // The tokens of a chat in the model's own template, up to where the assistant speaks. Templates
  // llama.cpp does not know are replaced by ChatML.
  [[nodiscard]] Result<std::vector<Token>> prompt(std::span<const ChatMessage> messages) const;
  // The text of one token; possibly part of a character; empty for control tokens.
  [[nodiscard]] std::string text(Token token) const;
  [[nodiscard]] bool is_end(Token token) const;

  [[nodiscard]] std::size_t vocabulary_size() const;
  [[nodiscard]] std::uint32_t training_context() const;
  [[nodiscard]] std::size_t embedding_size() const;
  [[nodiscard]] bool can_chat() const;  // False for models that only embed.
  // Whether part of a sequence's memory can be shared with another sequence.
  [[nodiscard]] bool can_share() const;

  [[nodiscard]] llama_model* raw() const { return model_.get(); }
  [[nodiscard]] const llama_vocab* vocabulary() const { return vocabulary_; }

 private:
  // Whether names of control tokens in a text stand for those tokens or for their own letters.
  enum class Marks { kMeant, kText };
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool is_start,
                                            Marks marks) const;

  explicit Model(llama_model_ptr model);

  llama_model_ptr model_;
  const llama_vocab* vocabulary_;
  std::string template_;
};

}  // namespace hf::engine
