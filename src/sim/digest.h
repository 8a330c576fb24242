// One number for all that happened in a run: equal runs, equal numbers.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/rng.h"
#include "base/units.h"
#include "model/usage.h"
#include "schedule/event.h"

namespace hf::sim {

class Digest {
 public:
  [[nodiscard]] std::uint64_t value() const { return value_; }

  void add(std::uint64_t word) { value_ = mix(value_ ^ word); }
  void add(std::int64_t word) { add(static_cast<std::uint64_t>(word)); }
  void add(TimePoint time) { add(time.time_since_epoch().count()); }

  void add(const Event& event) {
    add(std::uint64_t{event.index()});
    std::visit([this](const auto& each) { add_body(each); }, event);
  }
  void add(const Command& command) {
    add(std::uint64_t{command.index()});
    std::visit([this](const auto& each) { add_body(each); }, command);
  }

 private:
  template <class Id>
  void id(Id id) {
    add(static_cast<std::uint64_t>(id));
  }
  void usage(const std::optional<Usage>& usage) {
    const Usage told = usage.value_or(Usage{Tokens(-1), Tokens(-1), Tokens(-1)});
    add(told.prompt.count());
    add(told.cached.count());
    add(told.completion.count());
  }

  void add_body(const AccountOpened& e) { id(e.account); }
  void add_body(const AccountClosed& e) { id(e.account); }
  void add_body(const QueryArrived& e) {
    id(e.query);
    add(e.seed);
  }
  void add_body(const StepParsed& e) {
    id(e.query);
    id(e.id);
    add(e.subtask.expected.count());
    for (const SubtaskId input : e.subtask.relies_on) id(input);
  }
  void add_body(const PlanEnded& e) {
    id(e.query);
    id(e.outcome);
  }
  void add_body(const CallFirstToken& e) { id(e.call); }
  void add_body(const CallDone& e) {
    id(e.call);
    usage(e.usage);
    add(std::uint64_t{e.output_bytes});
  }
  void add_body(const CallFailed& e) {
    id(e.call);
    id(e.failure);
    usage(e.usage);
  }
  void add_body(const TimerFired& e) { add(e.timer); }
  void add_body(const CancelAsked& e) { id(e.query); }
  void add_body(const BudgetChanged& e) {
    add(e.limits.usd.value_or(PicoUsd(-1)).count());
    add(e.limits.cloud_tokens.value_or(Tokens(-1)).count());
  }

  void add_body(const StartCall& c) {
    id(c.call);
    id(c.query);
    id(c.kind);
    id(c.prompt);
    id(c.subtask);
    id(c.endpoint);
    add(c.max_tokens.count());
    add(std::int64_t{c.priority});
    for (const SubtaskId input : c.inputs) id(input);
  }
  void add_body(const CancelCall& c) { id(c.call); }
  void add_body(const SetTimer& c) {
    add(c.timer);
    add(c.at);
  }
  void add_body(const WantBudget& c) {
    add(c.needed.usd.count());
    add(c.needed.cloud_tokens.count());
  }
  void add_body(const Booked& c) {
    id(c.call);
    add(c.amounts.usd.count());
    add(c.amounts.cloud_tokens.count());
  }
  void add_body(const FinishQuery& c) {
    id(c.query);
    id(c.outcome);
  }

  std::uint64_t value_ = 0;
};

}  // namespace hf::sim
