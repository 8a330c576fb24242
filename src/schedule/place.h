// The changing side of endpoints, and the calls to them: plain data, changed by Scheduler::Impl
// only.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/units.h"
#include "health/breaker.h"
#include "health/concurrency.h"
#include "health/hedge_delay.h"
#include "health/retry_budget.h"
#include "health/speed.h"
#include "ledger/ledger.h"
#include "model/receipt.h"
#include "model/subtask.h"
#include "model/usage.h"
#include "schedule/event.h"
#include "schedule/query_state.h"
#include "schedule/ready_queue.h"

namespace hf {

// One for each endpoint.
struct Place {
  Place(BreakerPolicy policy, std::uint32_t max_in_flight)
      : breaker(policy), concurrency(max_in_flight) {}
  Breaker breaker;
  ConcurrencyLimit concurrency;
  RetryBudget retries;
  Speed speed;
  HedgeDelay hedge_delay;
  std::uint32_t in_flight = 0;
  TimePoint rest_until{};  // It asked to be left alone until then.
  std::string trouble;     // Of the last failure; empty after a success.
  ReadyQueue waiting;      // Decided for it.
};

// Running, or cancelled while its bill may still come.
struct Call {
  Query* query = nullptr;
  std::uint32_t job = 0;
  std::uint32_t record = 0;  // Index in the query's record.
  EndpointId endpoint{};
  bool is_probe = false;
  bool is_cancelled = false;
  ReservationId reservation{};
  Usage worst;           // As reserved; nothing where nothing is charged.
  Duration predicted{};  // At the start; zero if nothing was known.
};

// A call that has been decided on.
struct Start {
  CallKind kind = CallKind::kSubtask;
  Prompt prompt = Prompt::kSubtask;
  EndpointId endpoint{};
  Usage worst;
  SubtaskIds inputs;
  std::int64_t priority = 0;
  bool is_attempt = false;
};

}  // namespace hf
