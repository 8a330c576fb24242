#include "engine/worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace hf::engine {

Worker::Worker(Options options, CoreLease lease, Listener listener, Stats& stats)
    : options_(std::move(options)),
      lease_(std::move(lease)),
      listener_(std::move(listener)),
      stats_(stats),
      wants_load_(options_.loading == Loading::kAtOnce),
      thread_([this] { run(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool Worker::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (open_.size() >= options_.slots + options_.queue) return false;
    open_.insert(job.id);
    // Its end is noted before it is told, so that whoever hears of it finds the place free.
    job.tell = [this, id = job.id, tell = std::move(job.tell)](Update update) mutable {
      const auto* piece = std::get_if<wire::ChatPiece>(&update);
      if (piece == nullptr || piece->finish_reason) {
        const std::lock_guard guard(mutex_);
        open_.erase(id);
      }
      tell(std::move(update));
    };
    inbox_.push_back(std::move(job));
    stats_.queued = inbox_.size() + waiting_inside_;
  }
  wake_.notify_one();
  return true;
}

void Worker::cancel(JobId id) {
  {
    const std::lock_guard lock(mutex_);
    open_.erase(id);
    if (std::erase_if(inbox_, [id](const Job& job) { return job.id == id; }) == 0) {
      cancelled_.push_back(id);
    }
    stats_.queued = inbox_.size() + waiting_inside_;
  }
  wake_.notify_one();
}

void Worker::load_now() {
  {
    const std::lock_guard lock(mutex_);
    wants_load_ = true;
  }
  wake_.notify_one();
}

void Worker::run() {
  // Linux keeps this per thread; the threads of the pool, made here, inherit it. Failing is
  // harmless.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 1));
  while (std::optional<Work> work = wait()) {
    if (model_ == nullptr && !broken_) {
      const Result<void> loaded = load();
      if (stop_) return;
      if (loaded) {
        listener_.ready(*model_);
      } else {
        broken_ = loaded.error();
        listener_.failed(*broken_);
      }
    }
    if (broken_) {
      fail_all(*std::move(work), *broken_);
    } else {
      take(*std::move(work));
      if (has_work()) advance();
    }
    publish_queue();
  }
}

std::optional<Worker::Work> Worker::wait() {
  if (!has_work()) {
    lease_.release();
    stats_.threads = 0;
  }
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] {
    const bool must_load = wants_load_ && model_ == nullptr && !broken_;
    return stop_ || must_load || !inbox_.empty() || !cancelled_.empty() || has_work();
  });
  if (stop_) return std::nullopt;
  waiting_inside_ += inbox_.size();
  return Work{std::exchange(inbox_, {}), std::exchange(cancelled_, {})};
}

Result<void> Worker::load() {
  // Loading computes too (it repacks weights), with one thread; others must leave it a core.
  static_cast<void>(lease_.adjust([this] { return stop_.load(); }, 1));
  HF_TRY(model_, Model::load(options_.model_path, stop_));
  const std::size_t most = std::max<std::size_t>(lease_.most(), 1);
  pool_ = std::make_unique<ThreadPool>(static_cast<int>(most));
  HF_TRY(
      batcher_,
      Batcher::create(*model_, *pool_,
                      {.slots = options_.slots, .context = options_.context, .seed = options_.seed},
                      stop_, stats_));
  if (options_.can_embed) {
    HF_TRY(embedder_, Embedder::create(*model_, *pool_, stop_));
  }
  return {};
}

void Worker::take(Work work) {
  for (Job& job : work.jobs) {
    if (std::holds_alternative<wire::ChatRequest>(job.ask)) {
      batcher_->offer(std::move(job));
    } else if (embedder_ != nullptr) {
      embeds_.push_back({.job = std::move(job), .next = 0, .result = {}});
    } else {
      job.tell(JobFailed{400, "This engine was started without --embedding.", "not_supported"});
    }
  }
  for (const JobId id : work.cancelled) {
    batcher_->cancel(id);
    std::erase_if(embeds_, [id](const Embed& embed) { return embed.job.id == id; });
  }
}

void Worker::advance() {
  const std::size_t cores = lease_.adjust([this] { return stop_.load(); });
  stats_.threads = cores;
  if (cores == 0) return;
  if (!batcher_->is_idle()) batcher_->step(cores);
  if (!embeds_.empty() && !stop_) embed_one(static_cast<int>(cores));
}

void Worker::embed_one(int threads) {
  Embed& task = embeds_.front();
  const auto& texts = std::get<std::vector<std::string>>(task.job.ask);
  Result<Embedder::Embedding> embedding = embedder_->embed(texts.at(task.next), threads);
  if (!embedding) {
    const bool is_bad_input = embedding.error().code == Code::kInvalidInput;
    task.job.tell(JobFailed{is_bad_input ? 400 : 500, embedding.error().message,
                            is_bad_input ? "invalid_input" : "embedding_failed"});
    embeds_.pop_front();
    return;
  }
  task.result.vectors.push_back(std::move(embedding->vector));
  task.result.tokens += embedding->tokens;
  stats_.prompt_tokens += static_cast<std::uint64_t>(embedding->tokens.count());
  if (++task.next < texts.size()) return;
  task.job.tell(std::move(task.result));
  embeds_.pop_front();
}

void Worker::fail_all(Work work, const Error& error) {
  for (Job& job : work.jobs) job.tell(JobFailed{500, error.message, "model_not_loaded"});
}

void Worker::publish_queue() {
  const std::lock_guard lock(mutex_);
  waiting_inside_ = batcher_ ? batcher_->queued() + embeds_.size() : 0;
  stats_.queued = inbox_.size() + waiting_inside_;
}

}  // namespace hf::engine
