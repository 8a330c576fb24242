// The rules that must hold whatever happens, checked against a truth rebuilt from events and
// commands alone.
//
// - A subtask starts only when all it relies on has ended, and with the results of what is done.
// - Every subtask ends exactly once; its last state never changes, and no call for it runs on.
// - At most one call runs for a subtask, and one hedge beside it.
// - A result that is to be looked at stands only by the scheduler's word, and is attempted once.
// - Nothing happens to a query after it is finished; every query finishes, by its deadline.
// - A query that is open when the process dies is lost: that is its one end, and none that a dead
//   process had is heard of again.
// - A call that is over or cancelled is cancelled no more.
// - No endpoint has more calls than it allows; what must stay local reaches no cloud.
// - No call starts whose worst case does not fit, in any scope; spent + held <= limit at every
//   instant, but for what endpoints reported beyond what they were allowed.
// - What was reserved is settled, refunded or outstanding: the record's sums are the ledger's, to
//   the picodollar.
//
// Queries that an event does not touch are looked at every so often and at the end.
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "schedule/scheduler.h"

namespace hf::sim {

class Checker {
 public:
  explicit Checker(const Scheduler::Options& options)
      : options_(options), in_flight_(options.endpoints.size()) {
    payers_[AccountId{}].limits = options.process;
  }

  void saw(TimePoint now, const Event& event);
  void saw(TimePoint now, const Command& command, const Scheduler& scheduler);
  // After all commands of an event.
  void check(TimePoint now, const Scheduler& scheduler);
  // What was due at `from` or between comes at `to`.
  void jumped(TimePoint from, TimePoint to);
  // The process is gone, and all queries that were open with it: they are lost.
  void died();
  // When nothing is left to happen.
  void check_end(const Scheduler& scheduler);

  // Something else is wrong. At most 20 violations are kept.
  void complain(std::string_view rule);
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Step {
    Subtask subtask;
    std::uint32_t task_bytes = 0;
    std::uint32_t output_bytes = 0;
    bool is_done = false;
    bool is_attempted = false;  // It has a result that may stand; `output_bytes` is of that.
  };
  // Of a scope: what calls may cost at worst, what they did cost, and the part of it that their
  // reservations did not cover.
  struct Money {
    Amounts reserved;
    Amounts settled;
    Amounts refunded;
    Amounts spent;
    Amounts held;
    Amounts beyond;
  };
  // An account, or the process.
  struct Payer {
    std::optional<AccountId> parent;
    Budget limits;
    Money money;
  };
  struct Truth {
    QueryId id{};
    Budget budget;
    bool is_local_only = false;
    std::uint32_t question_bytes = 0;
    std::optional<TimePoint> due;
    std::vector<Step> steps;
    std::vector<SubtaskState> states;  // As last seen in the record.
    std::vector<std::uint8_t> calls;   // Running, by subtask.
    std::uint8_t planners = 0;         // Running planner calls.
    std::uint32_t running = 0;         // Running calls of every kind.
    AccountId account{};
    Money money;
    bool is_over = false;
    bool is_touched = false;  // By what happened last.
  };
  struct Call {
    std::uint32_t query = 0;  // In queries_.
    bool is_step = false;     // Of the plan; neither the plan itself nor a whole question.
    bool is_planner = false;
    bool is_attempt = false;
    SubtaskId subtask{};
    EndpointId endpoint{};
    Amounts worst;
    Amounts booked;
    bool is_known = false;
    bool is_running = false;
    bool may_be_corrected = false;  // Cancelled, and nothing was heard of it since.
  };

  Truth& touch(QueryId id);
  [[nodiscard]] Call& call_of(CallId id);
  void started(const StartCall& command, const Scheduler& scheduler);
  void check_inputs(const StartCall& command, const Truth& truth, const Scheduler& scheduler);
  void check_fits(const Budget& limits, const Money& money, const Amounts& worst);
  void finished(TimePoint now, const FinishQuery& command, const Scheduler& scheduler);
  void done(const CallDone& event);
  void ended(CallId id, const std::optional<Usage>& usage, bool is_billable);
  void cancelled(CallId id);
  void leave(Call& call);
  // Calls `change` on the money of the query and of all who pay for it.
  void for_each_money(Truth& truth, const auto& change) {
    change(truth.budget, truth.money);
    for (std::optional<AccountId> id = truth.account; id; id = payers_.at(*id).parent)
      change(payers_.at(*id).limits, payers_.at(*id).money);
  }
  void book(Call& call, const Amounts& actual);
  void check_query(Truth& truth, const RunRecord& record);
  void check_money(const Truth& truth, const RunRecord& record);
  void check_states(Truth& truth, const RunRecord& record);
  void check_limits(const Budget& limits, const Money& money);
  [[nodiscard]] Amounts worst_of(const StartCall& command, const Truth& truth) const;
  [[nodiscard]] Amounts amounts_of(EndpointId endpoint, const Usage& usage) const;
  void expect(bool holds, std::string_view rule) {
    if (!holds) complain(rule);
  }

  const Scheduler::Options& options_;
  std::vector<Truth> queries_;  // In the order of arrival.
  std::unordered_map<QueryId, std::uint32_t> places_;
  std::vector<std::uint32_t> touched_;
  std::vector<Call> calls_;  // By CallId.
  std::vector<std::uint32_t> in_flight_;
  std::map<AccountId, Payer> payers_;
  TimePoint now_{};
  std::optional<QueryId> at_;  // The query that is looked at.
  std::uint64_t checks_ = 0;
  std::unordered_set<QueryId> gone_;  // Queries that dead processes had.
  std::uint64_t arrived_ = 0;
  std::uint64_t ended_ = 0;  // Finished or lost.
  std::vector<std::string> violations_;
};

}  // namespace hf::sim
