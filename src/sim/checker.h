// The rules that must hold whatever happens, checked against a truth rebuilt from events and
// commands alone.
//
// - A subtask starts only when all it relies on has ended, and with the results of what is done.
// - Every subtask ends exactly once; its last state never changes.
// - Nothing happens to a query after it is finished; every query finishes, by its deadline.
// - No endpoint has more calls than it allows.
// - In every scope spent + held <= limit, unless an endpoint reported more than it was allowed; the
//   record's sums are the ledger's, to the picodollar.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "schedule/scheduler.h"

namespace hf::sim {

class Checker {
 public:
  explicit Checker(const Scheduler::Options& options) : options_(options) {
    in_flight_.resize(options.endpoints.size());
  }

  void saw(TimePoint now, const Event& event);
  void saw(TimePoint now, const Command& command, const Scheduler& scheduler);
  // After all commands of an event.
  void check(TimePoint now, const Scheduler& scheduler);
  // When nothing is left to happen.
  void check_end();

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Step {
    Subtask subtask;
    std::uint32_t task_bytes = 0;
    std::uint32_t output_bytes = 0;
    bool is_done = false;
  };
  struct Truth {
    TimePoint arrived{};
    Budget budget;
    std::uint32_t question_bytes = 0;
    std::vector<Step> steps;
    std::vector<SubtaskState> states;  // As last seen in the record.
    Amounts spent;
    Amounts held;
    bool is_over = false;
    bool has_overrun = false;
  };
  struct Call {
    QueryId query{};
    bool is_step = false;  // Of the plan; neither the plan itself nor a whole question.
    SubtaskId subtask{};
    EndpointId endpoint{};
    Amounts worst;
    Amounts booked;
    bool is_running = true;
  };

  void started(const StartCall& command, const Scheduler& scheduler);
  void check_inputs(const StartCall& command, const Truth& truth, const Scheduler& scheduler);
  void finished(TimePoint now, const FinishQuery& command, const Scheduler& scheduler);
  void ended(CallId id, const std::optional<Usage>& usage, bool is_billable, bool is_cancel);
  void check_query(QueryId id, Truth& truth, const RunRecord& record);
  void check_limits(const std::string& scope, const Budget& limits, const Amounts& spent,
                    const Amounts& held);
  [[nodiscard]] Amounts worst_of(const StartCall& command, const Truth& truth) const;
  [[nodiscard]] Amounts amounts_of(EndpointId endpoint, const Usage& usage) const;
  void expect(bool holds, const std::string& rule);

  const Scheduler::Options& options_;
  std::map<QueryId, Truth> queries_;
  std::map<CallId, Call> calls_;
  std::vector<std::uint32_t> in_flight_;
  Amounts spent_;
  Amounts held_;
  bool has_overrun_ = false;
  TimePoint now_{};
  std::vector<std::string> violations_;
};

}  // namespace hf::sim
