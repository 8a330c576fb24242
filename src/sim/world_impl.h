// The inside of a world. Its functions are in four files: world.cc (the queue), world_calls.cc
// (the commands), world_process.cc (a process that dies, and its disk) and world_trace.cc (what
// happened, in words).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "sim/checker.h"
#include "sim/digest.h"
#include "sim/durable_budget.h"
#include "sim/world.h"

namespace hf::sim {

class World::Impl {
 public:
  Impl(WorldSpec spec, Trace trace);

  std::string run();
  [[nodiscard]] const Checker& checker() const { return checker_; }
  [[nodiscard]] const RunRecord& record(QueryId id) const {
    return lives_[queries_[place_of(id)].life - 1].scheduler->record(id);
  }
  [[nodiscard]] std::uint64_t hash() const { return digest_.value(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] TimePoint end() const { return end_; }
  [[nodiscard]] const FaultCounts& faults() const { return faults_; }
  [[nodiscard]] const WorldSpec& spec() const { return spec_; }
  [[nodiscard]] bool has_arrived(QueryId id) const { return queries_[place_of(id)].life != 0; }
  [[nodiscard]] bool is_lost(QueryId id) const { return queries_[place_of(id)].is_lost; }
  [[nodiscard]] bool is_right(QueryId id) const { return queries_[place_of(id)].is_right; }

 private:
  struct Crash {
    EndpointId endpoint{};
    Duration down{};
  };
  struct Begin {};      // The process is back.
  struct Reconcile {};  // Somebody does it.
  struct Written {      // A batch, unless the process had to wait for it.
    std::uint64_t number = 0;
  };
  using Happening = std::variant<Event, Crash, ClockJump, Death, Begin, Written, Reconcile>;
  struct Pending {
    Happening what;
    std::optional<CallId> of;
    std::uint32_t turn = 0;  // Of the call at that time; not delivered if another one came.
    std::uint32_t life = 0;  // Of the process that it is for; 0: of whichever lives then.
  };
  struct Due {
    TimePoint at{};
    std::uint64_t sequence = 0;
    std::uint32_t slot = 0;  // In pending_.

    friend bool operator>(const Due& a, const Due& b) {
      return std::tie(a.at, a.sequence) > std::tie(b.at, b.sequence);
    }
  };
  enum class Stage : std::uint8_t { kRunning, kCancelled, kOver };
  struct Call {
    StartCall start;
    Course course;
    const StepScript* step = nullptr;
    Stage stage = Stage::kOver;
    bool is_plan_told = false;
    std::uint32_t turn = 0;  // Counts up when what was to come of it no longer holds.
  };
  struct Output {
    std::uint32_t bytes = 0;
    bool is_right = false;
  };
  struct Query {
    const QueryScript* script = nullptr;
    std::vector<std::size_t> followers;   // Queries that come after the end of this one.
    const PlanScript* plan = nullptr;     // The one that is being written, or was.
    std::size_t begun = 0;                // Plans so far.
    std::size_t released = 0;             // Steps of `plan` that the scheduler knows.
    std::vector<std::uint32_t> attempts;  // By job and endpoint.
    std::vector<Output> outputs;          // By subtask.
    std::uint32_t life = 0;               // Of the process that had it; 0: it has not arrived.
    bool is_over = false;
    bool is_lost = false;
    bool is_right = false;
  };
  struct Life {
    std::unique_ptr<Router> router;
    std::unique_ptr<Scheduler> scheduler;
  };

  // world.cc
  void begin();
  void next();
  void come(std::size_t place);
  void deliver(const Event& event);
  void note(const Event& event);
  void note_end(CallId id, const CallDone* done);
  void happen(const Crash& crash);
  void happen(const ClockJump& jump);
  void post(Duration wait, Happening what, std::optional<CallId> of = std::nullopt);
  void count(std::optional<Fault> fault) {
    if (fault) ++faults_[static_cast<std::size_t>(*fault)];
  }
  [[nodiscard]] static bool is_of_process(const Happening& what);
  [[nodiscard]] bool is_stale(const Pending& pending) const;
  [[nodiscard]] std::size_t place_of(QueryId id) const;
  [[nodiscard]] Query& query_of(QueryId id) { return queries_[place_of(id)]; }

  // world_calls.cc
  void carry_out(const StartCall& command);
  void carry_out(const CancelCall& command);
  void carry_out(const SetTimer& command);
  void carry_out(const WantBudget& command);
  void carry_out(const Booked& command) {
    if (ledger_) ledger_->book(command.call, command.amounts);
  }
  void carry_out(const FinishQuery& command);
  [[nodiscard]] Course course_of(const Call& call);
  [[nodiscard]] Amounts charge_of(const Call& call) const;
  void play(const Call& call);
  std::size_t play_steps(const Query& query, std::optional<CallId> of, Duration begins,
                         std::optional<Duration> until);
  void post_plan_end(const Query& query, std::size_t steps, Duration wait,
                     std::optional<CallId> of);
  [[nodiscard]] Event end_of(const Call& call) const;

  // world_process.cc
  void happen(const Death& death);
  void happen(const Begin& begin);
  void happen(const Written& written);
  void happen(const Reconcile& reconcile);
  void die();
  void lose(std::size_t place);
  void begin_write();
  bool wait_until(TimePoint time);
  bool wait_for_disk();
  void lease(const Amounts& needed);
  void check_ledger();
  void end_ledger();

  // world_trace.cc
  void tell(const Event& event, bool has_commands);
  void tell(const Command& command);
  void say(std::string_view line);
  [[nodiscard]] std::string describe(const Event& event) const;
  [[nodiscard]] std::string describe(const Command& command) const;
  [[nodiscard]] std::string call_name(CallId id) const;
  [[nodiscard]] std::string bill(CallId id) const;

  WorldSpec spec_;
  const Trace trace_mode_;
  // One a process, the present one last; those that died are kept for their records alone.
  std::vector<Life> lives_;
  Scheduler* scheduler_ = nullptr;
  Checker checker_;
  std::unique_ptr<DurableBudget> ledger_;
  std::optional<Death> death_;  // That comes next,
  TimePoint dies_at_{};         // not before this;
  bool is_doomed_ = false;      // or as soon as it has carried out the commands that it may.
  bool is_dying_ = false;       // Now.
  bool is_down_ = false;
  TimePoint up_at_{};
  std::uint64_t writes_ = 0;
  TimePoint written_at_{};
  std::optional<BudgetChanged> leased_more_;  // The next event.
  std::vector<Due> due_;                      // A heap, the next one first.
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  TimePoint now_{};
  TimePoint floor_{};  // The clock has jumped here: nothing happens earlier.
  TimePoint end_{};
  std::vector<Query> queries_;         // In the order of the specification.
  std::vector<Call> calls_;            // By CallId, which counts up from 1.
  std::vector<TimePoint> down_until_;  // By EndpointId.
  std::size_t unfinished_ = 0;
  Budget leased_;  // What the scheduler may use of the lease's total.
  FaultCounts faults_{};
  std::vector<Command> commands_;
  Digest digest_;
  std::string trace_;
};

}  // namespace hf::sim
