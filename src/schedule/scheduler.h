// Carries queries to their answers: what to start, where, and when to give up.
//
// A pure state machine. It reads no clock, does no IO, starts no thread and throws nothing: the
// driver tells it what happened (Event) and carries out what it asks for (Command). runtime/
// drives it over sockets and sim/ over a virtual world; it knows neither.
//
// Thread safety: none. One driver, one thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/units.h"
#include "health/breaker.h"
#include "health/retry.h"
#include "ledger/ledger.h"
#include "model/endpoint.h"
#include "route/router.h"
#include "schedule/event.h"

namespace hf {

class Scheduler {
 public:
  struct Options {
    std::vector<Endpoint> endpoints;  // Index is EndpointId. Not empty.
    EndpointId planner{};             // Where plans are made first.
    Budget process;                   // Limit of all queries together; its deadline is ignored.
    bool is_process_leased = false;   // `process` is only what is at hand: WantBudget may get more.
    RetryPolicy retry;
    BreakerPolicy breaker;
    Tokens plan_max_tokens{512};
    Tokens subtask_max_tokens{256};
    Tokens sink_max_tokens{512};
    std::uint32_t prompt_overhead_bytes = 2048;  // Bound of everything in a prompt besides
                                                 // question, inputs and task; see plan/prompts.h.
    std::uint32_t input_overhead_bytes = 64;     // Bound of the words around one input.
    std::uint32_t plan_overhead_bytes = 8192;    // The same for planner prompts.
    std::uint32_t queries_max = 1024;            // More are refused as unavailable.
    Fallback fallback = Fallback::kOtherTier;
    bool hedge = true;  // A critical call that is late gets a rival at another endpoint.
    Duration hedge_floor = std::chrono::milliseconds(200);  // Not before it has run this long.
  };

  // `router` must outlive the scheduler.
  Scheduler(Options options, Router& router);
  ~Scheduler();

  // Takes in one event and appends what to do about it to `commands`, in order. The same events at
  // the same times give the same commands, whatever the machine. An event about a call or query
  // that is over is ignored, with one exception: a cancelled call is booked at its worst case at
  // once, and the first CallDone or CallFailed that comes for it corrects that amount as long as
  // its query is not forgotten. REQUIRES: `now` is no earlier than at the previous call.
  void step(TimePoint now, const Event& event, std::vector<Command>& commands);

  // The record of a query that has not been forgotten; valid until the next `step` or `forget`.
  [[nodiscard]] const RunRecord& record(QueryId query) const;

  // What an account has spent, holds and may use; nothing if there is none.
  [[nodiscard]] std::optional<BudgetState> account_state(AccountId account) const;

  // Drops a finished query. REQUIRES: FinishQuery was given for it.
  void forget(QueryId query);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hf
