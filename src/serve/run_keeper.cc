#include "serve/run_keeper.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "eval/run_rows.h"

namespace hf::serve {
namespace {

// So long runs wait for others, to share one transaction.
constexpr std::chrono::milliseconds kGatherTime{200};

}  // namespace

RunKeeper::RunKeeper(net::EventLoop& loop, store::RunStore store, HistoryConfig config,
                     std::string weights)
    : loop_(loop),
      store_(std::move(store)),
      config_(config),
      weights_(std::move(weights)),
      thread_([this] { work(); }) {}

RunKeeper::~RunKeeper() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void RunKeeper::keep(Finished run) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kWaitingMax) {
      ++dropped_;
      return;
    }
    waiting_.emplace_back(std::move(run));
    if (waiting_.size() > 1) return;  // The thread is up, and gathers.
  }
  changed_.notify_one();
}

void RunKeeper::ask(Task task) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(task));
    has_task_ = true;
  }
  changed_.notify_one();
}

void RunKeeper::work() {
  for (;;) {
    std::vector<Work> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      changed_.wait_for(lock, kGatherTime, [this] { return is_ending_ || has_task_; });
      has_task_ = false;
      batch.swap(waiting_);
    }
    std::vector<Finished> runs;
    for (Work& each : batch) {
      if (auto* run = std::get_if<Finished>(&each)) {
        runs.push_back(std::move(*run));
        continue;
      }
      store_all(std::exchange(runs, {}));
      loop_.post(std::get<Task>(each)(store_));
    }
    store_all(runs);
  }
}

// One transaction, however many they are.
void RunKeeper::store_all(const std::vector<Finished>& runs) {
  if (runs.empty()) return;
  std::vector<store::KeptRun> rows;
  for (const Finished& run : runs) {
    rows.push_back(eval::run_rows(
        *run.receipt, run.question,
        {.keeps_texts = config_.texts, .weights = weights_, .key = run.key, .at = run.at}));
  }
  const auto keep = std::chrono::duration_cast<std::chrono::seconds>(config_.keep).count();
  const auto stored = store_.add(rows, runs.back().at - keep);
  if (stored || has_complained_.exchange(true)) return;
  fmt::print(stderr, "hybridflow: runs are not kept: {}\n", stored.error().message);
}

}  // namespace hf::serve
