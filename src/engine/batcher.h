// Continuous batching: all chats that are being answered advance together, one decode step at a
// time, and share what their prompts have in common.
//
// A step computes one token for every chat that generates and a piece of the prompts that are still
// being read, bounded so that running answers are not held up. Prompts are read by priority, then
// in order of arrival. A chat whose prompt begins like one that is being read waits for that part
// and takes it over. The same batches give the same text; another composition of the batch may
// change the low bits of the logits, so that near-ties can fall differently.
// Thread safety: none; the threads inside are llama.cpp's.
#pragma once

#include <llama-cpp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "engine/job.h"
#include "engine/model.h"
#include "engine/prefix_cache.h"
#include "engine/sampler.h"
#include "engine/stats.h"
#include "engine/text_stream.h"
#include "engine/thread_gauge.h"
#include "engine/thread_pool.h"

namespace hf::engine {

class Batcher {
 public:
  static constexpr std::size_t kBatch = 128;        // Prompt tokens a step if nobody generates,
  static constexpr std::size_t kPromptBeside = 64;  // and if somebody does.
  static constexpr std::size_t kDefaultMaxTokens = 1024;  // If the request does not say.
  static constexpr std::size_t kRetained = 8;  // Finished sequences kept, beside those in slots.

  struct Options {
    std::size_t slots = 4;
    std::uint32_t context = 8192;  // Cells of memory, shared by all; at most the model's context.
    std::uint64_t seed = 0;        // For requests without one.
  };

  // All references must outlive the batcher. `stop` aborts a step half-way; the batcher must then
  // be destroyed without further steps.
  static Result<std::unique_ptr<Batcher>> create(const Model& model, const ThreadPool& pool,
                                                 const Options& options,
                                                 const std::atomic<bool>& stop, Stats& stats);
  ~Batcher();

  // Takes a chat; what is wrong with it is told at once, else it waits its turn.
  void offer(Job job);
  // Forgets a job without a word; unknown ids are ignored.
  void cancel(JobId id);

  [[nodiscard]] bool is_idle() const { return slots_.empty() && queue_.empty(); }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }

  // One step with at most so many threads. REQUIRES: not idle.
  void step(std::size_t threads);

 private:
  struct Waiting;
  struct Slot;

  Batcher(const Model& model, const ThreadPool& pool, const Options& options, Stats& stats);

  [[nodiscard]] Result<void> make_context(std::uint32_t context, const std::atomic<bool>& stop);
  void admit();
  [[nodiscard]] bool try_admit(Waiting& waiting);
  // Copies what others have, or starts computing, or leaves the slot waiting.
  void settle(Slot& slot);
  void fill_batch();
  void add_to_batch(Slot& slot, std::size_t count);
  [[nodiscard]] bool decode(std::size_t leased);
  void sample(Slot& slot);
  void tell_piece(Slot& slot, std::string content, const Sampler::Choice& choice);
  void finish(Slot& slot, std::string content, const char* reason);
  void fail_batch(int code);
  void remove_from_memory(SequenceId id);
  void forget_finished();
  void update_stats();

  const Model& model_;
  const ThreadPool& pool_;
  const Options options_;
  Stats& stats_;
  llama_context_ptr context_;
  std::size_t cells_ = 0;
  std::unique_ptr<PrefixCache> cache_;
  std::vector<std::unique_ptr<Waiting>> queue_;  // First served first.
  std::vector<std::unique_ptr<Slot>> slots_;     // In the same order.
  llama_batch batch_{};
  ThreadGauge gauge_;
  std::size_t threads_ = 0;  // As llama.cpp knows it.
  std::uint64_t arrivals_ = 0;
};

}  // namespace hf::engine
