#include "engine/embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>

namespace hf::engine {
namespace {

llama_context_ptr make_context(const Model& model, int threads, enum llama_pooling_type pooling,
                               const std::atomic<bool>& stop) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = std::min(Embedder::kContextMax, model.training_context());
  params.n_batch = params.n_ctx;
  params.n_ubatch = params.n_ctx;  // Pooling needs the whole text in one piece.
  params.n_outputs_max_per_seq = 0;
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.embeddings = true;
  params.pooling_type = pooling;
  params.abort_callback = [](void* flag) {
    return static_cast<const std::atomic<bool>*>(flag)->load(std::memory_order_relaxed);
  };
  params.abort_callback_data = const_cast<std::atomic<bool>*>(&stop);
  return llama_context_ptr(llama_init_from_model(model.raw(), params));
}

}  // namespace

Result<std::unique_ptr<Embedder>> Embedder::create(const Model& model, const ThreadPool& pool,
                                                   const std::atomic<bool>& stop) {
  try {
    auto context = make_context(model, pool.threads(), LLAMA_POOLING_TYPE_UNSPECIFIED, stop);
    if (context != nullptr && llama_pooling_type(context.get()) == LLAMA_POOLING_TYPE_NONE) {
      context = make_context(model, pool.threads(), LLAMA_POOLING_TYPE_MEAN, stop);
    }
    if (context != nullptr) {
      pool.attach(context.get());
      return std::unique_ptr<Embedder>(new Embedder(model, std::move(context)));
    }
    return fail(Code::kInternal,
                "The memory for embeddings cannot be set up; there may be too little RAM.");
  } catch (const std::exception& e) {
    return fail(Code::kInternal,
                fmt::format("The memory for embeddings cannot be set up: {}.", e.what()));
  }
}

Result<Embedder::Embedding> Embedder::embed(std::string_view text, int threads) {
  std::vector<Token> tokens = model_.tokenize(text);
  if (tokens.empty()) return fail(Code::kInvalidInput, "An input to embed is empty.");
  if (tokens.size() > llama_n_batch(context_.get())) {
    return fail(Code::kInvalidInput,
                fmt::format("An input to embed has {} tokens; at most {} are possible.",
                            tokens.size(), llama_n_batch(context_.get())));
  }
  try {
    llama_set_n_threads(context_.get(), threads, threads);
    if (const llama_memory_t memory = llama_get_memory(context_.get()); memory != nullptr) {
      llama_memory_clear(memory, false);
    }
    const llama_batch batch =
        llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()));
    if (const int code = llama_decode(context_.get(), batch); code != 0) {
      return fail(Code::kInternal,
                  fmt::format("The model could not embed the text (llama.cpp says {}).", code));
    }
  } catch (const std::exception& e) {
    return fail(Code::kInternal, fmt::format("The model could not embed the text: {}.", e.what()));
  }
  const float* values = llama_get_embeddings_seq(context_.get(), 0);
  if (values == nullptr) return fail(Code::kInternal, "The model gave no embedding.");
  Embedding result{.vector = std::vector<float>(values, values + model_.embedding_size()),
                   .tokens = Tokens(static_cast<std::int64_t>(tokens.size()))};
  double squares = 0;
  for (const float value : result.vector) {
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (float& value : result.vector) {
    value = static_cast<float>(static_cast<double>(value) * scale);
  }
  return result;
}

}  // namespace hf::engine
