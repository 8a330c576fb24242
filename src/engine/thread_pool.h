// The threads that compute, which sleep whenever there is nothing to compute: a thread without a
// lease on a core must not spin. Thread safety: none.
#pragma once

#include <ggml-cpu.h>
#include <llama.h>

#include <memory>

namespace hf::engine {

class ThreadPool {
 public:
  // Workers inherit the priority of the calling thread, which computes too.
  explicit ThreadPool(int threads) : threads_(threads) {
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    params.poll = 0;
    pool_.reset(ggml_threadpool_new(&params));
  }

  void attach(llama_context* context) const {
    llama_attach_threadpool(context, pool_.get(), pool_.get());
  }
  [[nodiscard]] int threads() const { return threads_; }

 private:
  struct Free {
    void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
  };
  int threads_;
  std::unique_ptr<ggml_threadpool, Free> pool_;
};

}  // namespace hf::engine
