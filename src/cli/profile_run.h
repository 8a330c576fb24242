// Puts each of many tasks to each of many endpoints, as `ask` would, and tells what became of it.
//
// Every endpoint has a runtime of its own that knows no other, so that no call ends up elsewhere.
// The budget is one for all: each query is lent the most that it can cost out of what is left, and
// waits while that is lent to others. Reads and writes no file. Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "model/budget.h"
#include "model/outcome.h"
#include "net/event_loop.h"
#include "runtime/runtime.h"
#include "wire/task_lines.h"

namespace hf::cli {

struct ProfileJob {
  Config config;
  std::vector<EndpointConfig> arms;  // In the order in which a task is put to them.
  std::vector<wire::Task> tasks;
  Budget budget;         // Of all calls together; its deadline is ignored.
  std::size_t jobs = 1;  // Tasks at a time.
  std::uint64_t seed = 0;
};

enum class ProfileEnd : std::uint8_t {
  kDone,        // Every task was tried.
  kOverBudget,  // The next call could not be paid for.
  kInterrupted,
  kGaveUp,   // Too many tasks failed one after another.
  kStopped,  // The listener wanted no more.
};

struct ProfileState {
  std::size_t done = 0;
  std::size_t failed = 0;
  Amounts spent;
  ProfileEnd end = ProfileEnd::kDone;
  std::string trouble;  // Why it ended before all was done; "" if it did not.
};

class ProfileListener {
 public:
  virtual ~ProfileListener() = default;
  // A task is complete; `state` counts it. False ends the run.
  virtual bool on_row(const OutcomeRow& row, const ProfileState& state) = 0;
  virtual void on_failure(const wire::Task& task, const std::string& sentence,
                          const ProfileState& state) = 0;
};

// This many failed tasks in a row end a run.
inline constexpr std::size_t kFailuresInRowMax = 5;

// The most that putting `question` to the endpoint once can cost.
[[nodiscard]] Amounts worst_of_task(const Config& config, const Endpoint& endpoint,
                                    std::string_view question);

// Runs the job to its end. The first SIGINT or SIGTERM cancels and settles what runs, a second one
// ends the program.
Result<ProfileState> profile(const ProfileJob& job, const RuntimeOptions& options,
                             ProfileListener& listener);

}  // namespace hf::cli
