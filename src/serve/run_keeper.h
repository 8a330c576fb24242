// Runs on their way to the history, on a thread of their own: nobody waits for the disk.
//
// Thread safety: the loop's thread only; tasks run on the keeper's thread, in order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "config/history.h"
#include "model/receipt.h"
#include "net/event_loop.h"
#include "store/run_store.h"

namespace hf::serve {

class RunKeeper {
 public:
  struct Finished {
    std::shared_ptr<const Receipt> receipt;
    std::string question;
    std::string key;
    std::int64_t at = 0;
  };
  // More that wait are not kept: `dropped` counts them.
  static constexpr std::size_t kWaitingMax = 4'096;

  // `store` is used by the thread alone. `weights`: digest of the trained model.
  RunKeeper(net::EventLoop& loop, store::RunStore store, HistoryConfig config, std::string weights);
  ~RunKeeper();  // Keeps what waits.
  RunKeeper(const RunKeeper&) = delete;
  RunKeeper& operator=(const RunKeeper&) = delete;

  void keep(Finished run);
  // Runs `task` behind all that was said before, and what it returns on the loop's thread.
  using Answer = std::move_only_function<void()>;
  void ask(std::move_only_function<Answer(store::RunStore&)> task);
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  using Task = std::move_only_function<Answer(store::RunStore&)>;
  using Work = std::variant<Finished, Task>;

  void work();
  void store_all(const std::vector<Finished>& runs);

  net::EventLoop& loop_;
  store::RunStore store_;
  const HistoryConfig config_;
  const std::string weights_;
  std::uint64_t dropped_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Work> waiting_;
  bool has_task_ = false;
  bool is_ending_ = false;
  std::atomic<bool> has_complained_ = false;
  std::thread thread_;  // Last: it uses the rest.
};

}  // namespace hf::serve
