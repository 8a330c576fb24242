// A recorded run without a network: a driver that answers the scheduler's calls by lot and writes
// the event log of it. The same seed gives the same log.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"
#include "route/router.h"
#include "schedule/scheduler.h"
#include "wire/event_log.h"

namespace hf {

class RecordedRun {
 public:
  explicit RecordedRun(std::uint64_t seed) : rng_(seed) {
    wire::LogHeader header;
    header.program = "1.2.3";
    header.policy = policy_names()[rng_.below(policy_names().size())];
    Endpoint edge;
    edge.name = "edge";
    edge.max_in_flight = 2;
    Endpoint cloud = edge;
    cloud.name = "cloud";
    cloud.tier = Tier::kCloud;
    cloud.price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)};
    header.scheduler.endpoints = {edge, cloud};
    if (seed % 4 == 0) {
      header.scheduler.is_process_leased = true;
      header.scheduler.process = leased_;
    }
    router_ = make_router(header.policy, header.policy_options).value();
    scheduler_ = std::make_unique<Scheduler>(header.scheduler, *router_);
    writer_.header(header);
  }

  // One query to its end. It is left running with `kCrash`.
  enum class Stop { kAtTheEnd, kCrash };
  void run(std::uint64_t id, Stop stop = Stop::kAtTheEnd) {
    const QueryId query{id};
    is_finished_ = false;
    QueryArrived arrived;
    arrived.query = query;
    arrived.seed = id;
    arrived.question_bytes = 200;
    arrived.features.words = 40;
    arrived.plan_given = rng_.below(2) == 0;
    arrived.budget.usd = PicoUsd(static_cast<std::int64_t>(rng_.below(40'000'000'000)));
    if (rng_.below(2) == 0) arrived.budget.deadline = std::chrono::seconds(20);
    feed(arrived);
    if (arrived.plan_given) feed_plan(query);
    if (stop == Stop::kCrash) return;
    while (!is_finished_) answer(query);
    writer_.record(scheduler_->record(query));
    scheduler_->forget(query);
    calls_.clear();
    timers_.clear();
  }

  void end() { writer_.end(); }
  void cut(const std::string& reason) { writer_.cut(reason); }

  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] std::size_t events() const { return writer_.events(); }

 private:
  void feed(const Event& event) {
    now_ += std::chrono::milliseconds(1 + rng_.below(400));
    std::vector<Command> commands;
    scheduler_->step(now_, event, commands);
    writer_.step(now_, event, commands);
    for (const Command& command : commands) {
      if (const auto* call = std::get_if<StartCall>(&command)) calls_.push_back(*call);
      if (const auto* timer = std::get_if<SetTimer>(&command))
        timers_.emplace(timer->at, timer->timer);
      if (const auto* want = std::get_if<WantBudget>(&command)) feed(lease(want->needed));
      if (std::holds_alternative<FinishQuery>(command)) is_finished_ = true;
    }
  }

  BudgetChanged lease(const Amounts& needed) {
    if (rng_.below(3) == 0) {
      return {.limits = leased_,
              .refusal = Refusal{.scope = "key", .axis = Axis::kUsd, .asked = needed.usd.count()}};
    }
    *leased_.usd += needed.usd;
    *leased_.cloud_tokens += needed.cloud_tokens;
    return {.limits = leased_, .refusal = {}};
  }

  void feed_plan(QueryId query) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      StepParsed step;
      step.query = query;
      step.id = SubtaskId(i);
      step.subtask.role = i == 3 ? Role::kGenerate : Role::kAnalyze;
      step.subtask.expected = Tokens(20 + 10 * std::int64_t{i});
      if (i > 0) step.subtask.relies_on = {SubtaskId(i / 2)};
      step.task_bytes = 50;
      step.features.difficulty = static_cast<std::uint8_t>(1 + rng_.below(9));
      feed(step);
    }
    PlanEnded ended;
    ended.query = query;
    ended.sink = SubtaskId(3);
    feed(ended);
  }

  void answer(QueryId query) {
    if (calls_.empty()) {
      HF_ASSERT(!timers_.empty());  // Otherwise nothing would ever happen again.
      now_ = std::max(now_, timers_.begin()->first);
      const std::uint64_t timer = timers_.begin()->second;
      timers_.erase(timers_.begin());
      return feed(TimerFired{.timer = timer});
    }
    const StartCall call = calls_.front();
    calls_.pop_front();
    const bool is_plan = call.kind == CallKind::kPlanner;
    if (rng_.below(3) == 0) {
      feed(CallFailed{.call = call.call,
                      .failure = Failure::kCut,
                      .detail = "half an answer",
                      .retry_after = {},
                      .usage = {},
                      .billable = true,
                      .output_bytes = 10});
      PlanEnded useless;
      useless.query = query;
      useless.outcome = PlanOutcome::kUseless;
      if (is_plan) feed(useless);
      return;
    }
    feed(CallFirstToken{.call = call.call});
    if (is_plan) feed_plan(query);
    CallDone done;
    done.call = call.call;
    done.usage = Usage{Tokens(100), Tokens(10), Tokens(9)};
    done.output_bytes = 40;
    if (rng_.below(2) == 0) done.signals = Signals{.mean_logprob = -0.1, .margin = 1.0 / 3.0};
    feed(done);
  }

  Rng rng_;
  std::string log_;
  wire::EventLogWriter writer_{log_};
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scheduler> scheduler_;
  TimePoint now_{};
  std::deque<StartCall> calls_;
  std::multimap<TimePoint, std::uint64_t> timers_;
  Budget leased_{.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
  bool is_finished_ = false;
};

}  // namespace hf
