// The thread that loads the model and decodes. Jobs go in through a bounded queue; answers come
// out by each job's own callback.
//
// It runs at a slightly lower priority than the rest of the process (nice 1), so that the thread
// that speaks HTTP stays prompt while every core computes. Before each step it leases cores
// (core_lease.h); without work it holds none.
//
// Thread safety: submit, cancel and load_now may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "engine/batcher.h"
#include "engine/core_lease.h"
#include "engine/embedder.h"
#include "engine/job.h"
#include "engine/model.h"
#include "engine/stats.h"
#include "engine/thread_pool.h"

namespace hf::engine {

enum class Loading : std::uint8_t { kAtOnce, kWhenNeeded };

class Worker {
 public:
  struct Options {
    std::string model_path;
    std::size_t slots = 4;
    std::uint32_t context = 8192;
    std::size_t queue = 64;  // Jobs that wait, at most.
    bool can_embed = false;
    Loading loading = Loading::kAtOnce;
    std::uint64_t seed = 0;
  };
  // Called on the decoding thread. The model lives as long as the worker. After `failed` every job
  // is answered with 500.
  struct Listener {
    std::move_only_function<void(const Model&)> ready;
    std::move_only_function<void(Error)> failed;
  };

  // `stats` must outlive the worker.
  Worker(Options options, CoreLease lease, Listener listener, Stats& stats);
  ~Worker();  // Stops within a part of a decode step; open jobs are not told.

  // False if all slots and places in the queue are taken by jobs that are neither told their end
  // nor cancelled; the job is then untouched by anybody.
  [[nodiscard]] bool submit(Job job);
  // The job will not be told anything more, or at most what is on its way.
  void cancel(JobId id);
  // Loads the model even though no job needs it yet.
  void load_now();

 private:
  struct Embed {
    Job job;
    std::size_t next = 0;
    Embeddings result;
  };
  struct Work {
    std::vector<Job> jobs;
    std::vector<JobId> cancelled;
  };

  void run();
  [[nodiscard]] bool has_work() const {
    return batcher_ && (!batcher_->is_idle() || !embeds_.empty());
  }
  // Waits until there is something to do; nullopt when stopped.
  std::optional<Work> wait();
  [[nodiscard]] Result<void> load();
  void take(Work work);
  void advance();
  void embed_one(int threads);
  void fail_all(Work work, const Error& error);
  void publish_queue();

  const Options options_;
  CoreLease lease_;
  Listener listener_;
  Stats& stats_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> inbox_;  // Guarded, as are the next four.
  std::set<JobId> open_;    // Submitted and not over.
  std::vector<JobId> cancelled_;
  std::size_t waiting_inside_ = 0;  // Taken from the inbox, but not started.
  bool wants_load_ = false;
  std::atomic<bool> stop_{false};

  // Of the thread only, in the order in which they depend on each other.
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<Embedder> embedder_;
  std::deque<Embed> embeds_;
  std::optional<Error> broken_;

  std::thread thread_;
};

}  // namespace hf::engine
