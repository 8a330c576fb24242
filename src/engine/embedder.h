// Texts to vectors of length 1: mean pooling unless the model says otherwise.
// Thread safety: none.
#pragma once

#include <llama-cpp.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "engine/model.h"
#include "engine/thread_pool.h"

namespace hf::engine {

class Embedder {
 public:
  static constexpr std::uint32_t kContextMax = 2048;  // Tokens of one text.

  // All references must outlive the embedder.
  static Result<std::unique_ptr<Embedder>> create(const Model& model, const ThreadPool& pool,
                                                  const std::atomic<bool>& stop);

  struct Embedding {
    std::vector<float> vector;
    Tokens tokens;
  };
  // One text with so many threads. A text that is empty or too long is kInvalidInput.
  Result<Embedding> embed(std::string_view text, int threads);

 private:
  Embedder(const Model& model, llama_context_ptr context)
      : model_(model), context_(std::move(context)) {}

  const Model& model_;
  llama_context_ptr context_;
};

}  // namespace hf::engine
