// The inside of the scheduler, in eight files: scheduler.cc (queries and timers), account.cc
// (budgets that queries share), planning.cc, dispatch.cc (from ready to running), route_input.cc
// (what the router is shown), attempt.cc, hedge.cc (a second call for a late one), settle.cc (to
// over).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/id_map.h"
#include "schedule/place.h"
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
  [[nodiscard]] std::optional<BudgetState> account_state(AccountId id);

 private:
  static constexpr std::string_view kProcessScope = "process";
  enum class Verdict : std::uint8_t { kStarted, kWaits, kOver };
  struct Account {
    ScopeId scope{};
    std::string name;
    std::optional<AccountId> parent = {};
    std::optional<AccountId> lease = {};  // The nearest that is leased: itself, or one above it.
    std::uint32_t users = 0;              // Queries that are not forgotten, and accounts below it.
    bool is_closed = false;               // It goes with its last user.
    bool is_wanted = false;               // WantBudget is unanswered.
    std::optional<Refusal> refusal = {};  // The last answer to it was no.
    Amounts wanted = {};                  // What was asked for last.
    TimePoint refused_until{};            // Till then it is not asked again,
    std::uint64_t refused_at = 0;         // Count of settlements then.
  };

  void on(const AccountOpened& event);  // account.cc
  void on(const AccountClosed& event);
  void on(const BudgetChanged& event);
  [[nodiscard]] Account* account(AccountId id);
  [[nodiscard]] bool asks_for_budget(const Query& query, const Amounts& worst);
  [[nodiscard]] const Account* refusing_lease(const Query& query, const Refusal& refusal);
  [[nodiscard]] bool is_any_held(const Query& query);
  void leave_account(AccountId id);

  void on(const QueryArrived& event);  // scheduler.cc
  void on(const TimerFired& event);
  void on(const CancelAsked& event);
  void on_soft_deadline(Query& query);
  void on_hard_deadline(Query& query);
  [[nodiscard]] Query* running_query(QueryId id);
  [[nodiscard]] std::uint64_t set_timer(Query& query, TimePoint at);
  void drop_timer(std::optional<std::uint64_t>& timer);
  void finish(Query& query, Outcome outcome, std::string trouble);
  void finish_answered(Query& query);

  void on(const StepParsed& event);  // planning.cc
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
  [[nodiscard]] bool may_use(const Query& query, EndpointId endpoint) const;
  [[nodiscard]] bool is_well(const Query& query, const Job& job, EndpointId endpoint) const;
  [[nodiscard]] bool is_usable(const Query& query, const Job& job, EndpointId endpoint) const;
  [[nodiscard]] Duration rest_of(EndpointId endpoint) const;
  [[nodiscard]] std::optional<EndpointId> probed_endpoint(const Query& query, const Job& job) const;
  [[nodiscard]] bool is_busy(EndpointId endpoint) const;
  Verdict try_planner(Query& query);
  Verdict try_node(Query& query, std::uint32_t index);
  Verdict give_up(Query& query, std::uint32_t index, const Refusal& refusal);
  [[nodiscard]] Decision decide(const Query& query, std::uint32_t index, RouteInput& input);
  static void note_decision(Query& query, std::uint32_t index, const Decision& decision);
  void start_node(Query& query, std::uint32_t index, const Decision& decision, const Usage& bound);
  [[nodiscard]] static Prompt prompt_for(const Query& query, std::uint32_t index);
  [[nodiscard]] SubtaskIds done_inputs(const Query& query, std::uint32_t index) const;
  void start(Query& query, std::uint32_t index, const Start& start);

  // route_input.cc
  void collect(const Query& query, std::uint32_t index, const Usage& bound);
  void keep_timely(const Query& query, std::uint32_t index);
  [[nodiscard]] std::optional<Refusal> keep_affordable(const Query& query, std::uint32_t index,
                                                       const Usage& bound);
  [[nodiscard]] RouteInput route_input(Query& query, std::uint32_t index);
  [[nodiscard]] const Place* quickest(const Query& query, Tier tier) const;
  void describe_surroundings(Query& query, std::uint32_t index, RouteInput& input);
  [[nodiscard]] static double chance_of_result(const Decision& decision);
  [[nodiscard]] std::uint32_t steps_below(const Query& query, std::uint32_t index);
  void describe_allowance(const Query& query, std::uint32_t index, RouteInput& input) const;
  [[nodiscard]] Usage expected_usage(const Query& query, std::uint32_t index,
                                     const Usage& bound) const;
  [[nodiscard]] Tokens expected_of(const Query& query, std::uint32_t index) const;
  [[nodiscard]] Usage bound_of(const Query& query, std::uint32_t index) const;
  [[nodiscard]] bool shorten(const Query& query, std::uint32_t index, Decision& decision,
                             Usage& bound) const;
  [[nodiscard]] Usage worst_at(EndpointId endpoint, Usage bound) const;
  [[nodiscard]] Amounts amounts_of(EndpointId endpoint, const Usage& usage) const;

  void take_attempt(Query& query, std::uint32_t index, const CallDone& event);  // attempt.cc
  void keep_attempt(Query& query, std::uint32_t index);
  void keep_attempt_in_time(Query& query, std::uint32_t index);
  [[nodiscard]] static std::optional<EndpointId> attempted_at(const Query& query,
                                                              std::uint32_t index);

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
  void correct_lease(AccountId lease, const Call& call, Amounts booked, Amounts actual);
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
  static void note_cut_answer(Query& query);
  [[nodiscard]] CallRecord& record_of(const Call& call);

  const Options options_;
  Router& router_;
  Ledger ledger_;
  IdMap<Account> accounts_;
  std::vector<Place> places_;              // By EndpointId.
  std::vector<EndpointId> planner_order_;  // The planner's endpoint, its tier, the other tier.

  IdMap<std::unique_ptr<Query>> queries_;
  std::vector<std::unique_ptr<Query>> idle_queries_;  // To be used again.
  IdMap<Call> calls_;     // Running, and cancelled ones whose bill may still come.
  IdMap<Query*> timers_;  // Null: of an endpoint.
  ReadyQueue ready_;      // To be decided; who waits for an endpoint is in its own queue.
  ReadyQueue unpaid_;     // Who waits for money.
  std::vector<ReadyQueue::node_type> idle_entries_;  // To be used again.
  // Scratch for one decision.
  std::vector<Candidate> candidates_;
  std::vector<StepTime> step_times_;
  std::vector<Duration> time_tails_;
  std::vector<std::uint32_t> steps_below_;

  TimePoint now_{};
  std::vector<Command>* commands_ = nullptr;  // During a step.
  bool is_drain_due_ = false;
  std::uint32_t running_queries_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t settlements_ = 1;
  std::uint64_t unpaid_since_ = 1;  // Count of settlements when `unpaid_` was looked at.
  std::uint64_t next_call_ = 1;
  std::uint64_t next_timer_ = 1;
};

// What the files share in words.
[[nodiscard]] std::string name_of(std::uint32_t subtask);  // "subtask #2"
[[nodiscard]] std::string words_of(const Refusal& refusal);
[[nodiscard]] std::string words_of(Failure failure);
[[nodiscard]] std::string seconds(Duration duration);

}  // namespace hf
