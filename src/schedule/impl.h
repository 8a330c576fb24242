// The inside of the scheduler. Its functions are in five files: scheduler.cc (queries and timers),
// planning.cc (the plan and the graph), dispatch.cc (from ready to running), hedge.cc (a second
// call for a late one), settle.cc (from running to over).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "health/breaker.h"
#include "health/concurrency.h"
#include "health/hedge_delay.h"
#include "health/retry_budget.h"
#include "health/speed.h"
#include "schedule/id_map.h"
#include "schedule/query_state.h"
#include "schedule/ready_queue.h"
#include "schedule/scheduler.h"

namespace hf {

class Scheduler::Impl {
 public:
  Impl(Options options, Router& router);

  void step(TimePoint now, const Event& event, std::vector<Command>& commands);
  [[nodiscard]] const RunRecord& record(QueryId id);
  void forget(QueryId id);

 private:
  struct Place {  // The changing side of an endpoint.
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
  struct Start {  // A call that has been decided on.
    CallKind kind = CallKind::kSubtask;
    Prompt prompt = Prompt::kSubtask;
    EndpointId endpoint{};
    Usage worst;
    SubtaskIds inputs;
    std::int64_t priority = 0;
  };
  static constexpr std::string_view kProcessScope = "process";
  enum class Verdict : std::uint8_t { kStarted, kWaits, kOver };

  // scheduler.cc
  void on(const QueryArrived& event);
  void on(const TimerFired& event);
  void on(const CancelAsked& event);
  void on(const BudgetChanged& event);
  void on_soft_deadline(Query& query);
  void on_hard_deadline(Query& query);
  [[nodiscard]] Query* running_query(QueryId id);
  [[nodiscard]] std::uint64_t set_timer(Query& query, TimePoint at);
  void drop_timer(std::optional<std::uint64_t>& timer);
  void finish(Query& query, Outcome outcome, std::string trouble);
  void finish_answered(Query& query);

  // planning.cc
  void on(const StepParsed& event);
  void on(const PlanEnded& event);
  void use_plan(Query& query, const PlanEnded& event);
  void plan_again_or_go_whole(Query& query);
  void go_whole(Query& query, std::string degraded);
  void add_node(Query& query, const Subtask& subtask, std::uint32_t task_bytes,
                const TaskFeatures& features);
  void refresh_shape(Query& query);

  // dispatch.cc
  void make_ready(Query& query, std::uint32_t index);
  void enqueue(Query& query, std::uint32_t index);
  void dequeue(Query& query, std::uint32_t index);
  [[nodiscard]] std::int64_t priority_of(Query& query, std::uint32_t index);
  void reorder(Query& query);
  [[nodiscard]] ReadyQueue& queue_of(const Job& job);
  [[nodiscard]] static Ready entry_of(Query& query, std::uint32_t index);
  void unpark(Job& job, const Ready& entry);
  void drain();
  [[nodiscard]] ReadyQueue* next_queue();
  [[nodiscard]] bool is_blocked(EndpointId endpoint) const;
  [[nodiscard]] bool is_well(const Query& query, const Job& job, EndpointId endpoint) const;
  [[nodiscard]] bool is_usable(const Query& query, const Job& job, EndpointId endpoint) const;
  [[nodiscard]] Duration rest_of(EndpointId endpoint) const;
  [[nodiscard]] std::optional<EndpointId> probed_endpoint(const Query& query, const Job& job) const;
  [[nodiscard]] bool is_busy(EndpointId endpoint) const;
  Verdict try_planner(Query& query);
  Verdict try_node(Query& query, std::uint32_t index);
  Verdict give_up(Query& query, std::uint32_t index, const Refusal& refusal);
  void collect(const Query& query, std::uint32_t index, const Usage& bound);
  void keep_timely(const Query& query, std::uint32_t index);
  [[nodiscard]] bool asks_for_budget(const Query& query, const Amounts& worst);
  [[nodiscard]] std::optional<Refusal> keep_affordable(const Query& query, const Usage& bound);
  [[nodiscard]] RouteInput route_input(Query& query, std::uint32_t index);
  [[nodiscard]] Usage bound_of(const Query& query, std::uint32_t index) const;
  [[nodiscard]] Usage worst_at(EndpointId endpoint, Usage bound) const;
  [[nodiscard]] Amounts amounts_of(EndpointId endpoint, const Usage& usage) const;
  [[nodiscard]] Tokens expected_of(const Query& query, std::uint32_t index) const;
  void start_node(Query& query, std::uint32_t index, const Decision& decision, const Usage& bound);
  [[nodiscard]] static Prompt prompt_for(const Query& query, std::uint32_t index);
  [[nodiscard]] SubtaskIds done_inputs(const Query& query, std::uint32_t index) const;
  void start(Query& query, std::uint32_t index, const Start& start);

  // hedge.cc
  void arm_hedge(Query& query, std::uint32_t index);
  void hedge(Query& query, std::uint32_t index);
  [[nodiscard]] std::optional<TimePoint> last_moment(const Query& query, std::uint32_t index,
                                                     EndpointId endpoint) const;
  [[nodiscard]] std::optional<EndpointId> rival_of(const Query& query, std::uint32_t index,
                                                   EndpointId endpoint) const;
  [[nodiscard]] bool may_start_again(const Query& query, EndpointId endpoint) const;
  void count_again(Query& query, EndpointId endpoint);

  // settle.cc
  void on(const CallFirstToken& event);
  void on(const CallDone& event);
  void on(const CallFailed& event);
  void correct(Call& call, const std::optional<Usage>& usage, bool is_billable);
  void book(Call& call, const std::optional<Usage>& usage, bool is_billable);
  void leave_place(Call& call, CallStatus status);
  void cancel(Job& job);
  void cancel_call(std::optional<CallId>& call);
  void retry_or_move(Query& query, std::uint32_t index, EndpointId endpoint, CallId call,
                     Failure failure, std::optional<Duration> retry_after);
  void rest(EndpointId endpoint, Duration wait);
  [[nodiscard]] bool may_retry(Query& query, std::uint32_t index, EndpointId endpoint,
                               Duration wait);
  void fail_node(Query& query, std::uint32_t index);
  [[nodiscard]] std::string trouble_of(const Query& query, const Job& job) const;
  void end_node(Query& query, std::uint32_t index, SubtaskState state, std::string why);
  void release_dependants(Query& query, std::uint32_t index);
  [[nodiscard]] CallRecord& record_of(const Call& call);

  const Options options_;
  Router& router_;
  Ledger ledger_;
  ScopeId process_{};
  std::vector<Place> places_;              // By EndpointId.
  std::vector<EndpointId> planner_order_;  // The planner's endpoint, its tier, the other tier.

  IdMap<std::unique_ptr<Query>> queries_;
  std::vector<std::unique_ptr<Query>> idle_queries_;  // To be used again.
  IdMap<Call> calls_;     // Running, and cancelled ones whose bill may still come.
  IdMap<Query*> timers_;  // Null: of an endpoint.
  ReadyQueue ready_;      // To be decided; who waits for an endpoint is in its own queue.
  ReadyQueue unpaid_;     // Who waits for money.
  std::vector<ReadyQueue::node_type> idle_entries_;  // To be used again.
  std::vector<Candidate> candidates_;

  TimePoint now_{};
  std::vector<Command>* commands_ = nullptr;  // During a step.
  bool is_drain_due_ = false;
  std::uint32_t running_queries_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t settlements_ = 1;
  std::uint64_t unpaid_since_ = 1;         // Count of settlements when `unpaid_` was looked at.
  bool is_budget_wanted_ = false;          // WantBudget is unanswered.
  std::optional<Refusal> budget_refusal_;  // The last answer to it was no.
  std::uint64_t budget_refused_at_ = 0;    // Count of settlements then.
  std::uint64_t next_call_ = 1;
  std::uint64_t next_timer_ = 1;
};

// What the files share in words.
[[nodiscard]] std::string name_of(std::uint32_t subtask);  // "subtask #2"
[[nodiscard]] std::string words_of(const Refusal& refusal);
[[nodiscard]] std::string words_of(Failure failure);
[[nodiscard]] std::string seconds(Duration duration);

}  // namespace hf
