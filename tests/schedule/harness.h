// A scheduler with two endpoints and short words for its events and commands.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schedule/scheduler.h"

namespace hf {

inline constexpr EndpointId kEdge{0};
inline constexpr EndpointId kCloud{1};
inline constexpr QueryId kQuery{1};

inline SubtaskId node(std::uint32_t index) {
  return static_cast<SubtaskId>(index);
}

inline Usage usage(std::int64_t prompt, std::int64_t completion) {
  Usage result;
  result.prompt = Tokens(prompt);
  result.completion = Tokens(completion);
  return result;
}

// Options with some changes.
template <class Change>
Scheduler::Options with(const Change& change) {
  Scheduler::Options options;
  change(options);
  return options;
}

// One endpoint of the cloud and nothing else.
inline Scheduler::Options cloud_only() {
  return with([](auto& o) {
    o.endpoints = {{.name = "cloud",
                    .tier = Tier::kCloud,
                    .price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)},
                    .max_in_flight = 8}};
  });
}

class Harness {
 public:
  explicit Harness(std::string_view policy = "edge", Scheduler::Options changes = {}) {
    router_ = std::move(*make_router(policy, {}));
    Endpoint edge{
        .name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 8, .is_local = true};
    Endpoint cloud{.name = "cloud",
                   .tier = Tier::kCloud,
                   .price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)},
                   .max_in_flight = 8};
    if (changes.endpoints.empty()) changes.endpoints = {edge, cloud};
    scheduler_ = std::make_unique<Scheduler>(std::move(changes), *router_);
  }

  // Sends an event and keeps what it led to.
  void send(const Event& event) {
    commands.clear();
    scheduler_->step(now, event, commands);
  }
  void pass(Duration time) { now += time; }

  void arrive(QueryArrived event = {}) {
    if (event.query == QueryId{}) event.query = kQuery;
    if (event.question_bytes == 0) event.question_bytes = 100;
    send(event);
  }
  void step(std::uint32_t id, std::vector<std::uint32_t> inputs, Role role = Role::kAnalyze,
            std::int64_t expected = 0) {
    Subtask subtask{.role = role, .relies_on = {}, .expected = Tokens(expected)};
    for (const std::uint32_t input : inputs) subtask.relies_on.push_back(node(input));
    send(StepParsed{.query = kQuery,
                    .id = node(id),
                    .subtask = std::move(subtask),
                    .task_bytes = 40,
                    .features = {}});
  }
  void end_plan(std::uint32_t sink, std::vector<std::uint32_t> pruned = {},
                PlanOutcome outcome = PlanOutcome::kComplete) {
    PlanEnded event{.query = kQuery, .outcome = outcome, .sink = node(sink), .pruned = {}};
    for (const std::uint32_t each : pruned) event.pruned.push_back(node(each));
    send(event);
  }
  void end_uselessly() {
    send(PlanEnded{.query = kQuery, .outcome = PlanOutcome::kUseless, .sink = {}, .pruned = {}});
  }
  void finish_call(CallId call, std::optional<Usage> used = usage(30, 20)) {
    send(CallDone{.call = call, .usage = used, .output_bytes = 80, .signals = {}});
  }
  void fail_call(CallId call, Failure failure, std::optional<Usage> used = std::nullopt,
                 bool is_billable = false) {
    send(CallFailed{.call = call,
                    .failure = failure,
                    .detail = "what it said",
                    .retry_after = {},
                    .usage = used,
                    .billable = is_billable});
  }
  // A query with a given plan needs no planner call.
  void arrive_with_plan(const Budget& budget = {}) {
    arrive({.budget = budget, .plan = true, .plan_given = true, .features = {}});
  }
  void arrive_whole(const Budget& budget = {}, QueryId id = kQuery) {
    arrive({.query = id, .budget = budget, .plan = false, .features = {}});
  }

  template <class Kind>
  [[nodiscard]] std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const Command& command : commands) {
      if (const auto* each = std::get_if<Kind>(&command)) found.push_back(*each);
    }
    return found;
  }
  // The only command of a kind.
  template <class Kind>
  [[nodiscard]] Kind only() const {
    const std::vector<Kind> found = all<Kind>();
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? Kind{} : found.front();
  }
  [[nodiscard]] const RunRecord& record(QueryId query = kQuery) const {
    return scheduler_->record(query);
  }
  [[nodiscard]] SubtaskState state(std::uint32_t index) const {
    return record().subtasks[index].state;
  }
  Scheduler& scheduler() { return *scheduler_; }

  TimePoint now{};
  std::vector<Command> commands;  // Of the last event.

 private:
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace hf
