// What can happen to the scheduler, and what it asks for. Small values only: texts stay on the
// driver's blackboard and are known here by their sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/budget.h"
#include "model/plan.h"
#include "model/receipt.h"
#include "model/signals.h"
#include "model/subtask.h"
#include "model/usage.h"

namespace hf {

// ---- events ----

// A budget that queries share from now on: a key's, or a session's below it. Once there, it is
// ignored; so is one below an account that is not there.
struct AccountOpened {
  AccountId account{};     // Not 0.
  std::string name;        // What refusals call it.
  Budget limits = {};      // The deadline is ignored.
  bool is_leased = false;  // `limits` is only what is at hand: WantBudget may get more.
  std::optional<AccountId> parent = {};  // What is spent here is spent there, too.
};

// No further query comes for it. It goes with the last one that it has.
struct AccountClosed {
  AccountId account{};
};

struct QueryArrived {
  QueryId query{};
  Budget budget = {};
  bool plan = true;         // The gate's verdict: split it, or send it out whole.
  bool plan_given = false;  // The steps come from elsewhere: no planner is called.
  bool local_only = false;  // Only to endpoints that are local.
  std::uint32_t question_bytes = 0;
  TaskFeatures features = {};  // Of the question.
  std::uint64_t seed = 0;
  std::vector<EndpointId> among = {};        // Nothing of it may go elsewhere; empty: no such rule.
  std::optional<Tokens> answer_tokens = {};  // Cap of the answer, if lower than the configured one.
  AccountId account{};                       // Who pays. One that is not there pays nothing.
  // A request that is passed on as it is: `question_bytes` is all of it, `answer_tokens` the cap
  // whatever is configured, and no second call is made beside a late one. REQUIRES: not `plan`.
  bool is_forwarded = false;
  bool is_cap_fixed = false;  // `answer_tokens` stands in the request: it cannot be lowered.
};

// The planner finished one step (also used for a plan from a file). `subtask` ids count up from 0.
struct StepParsed {
  QueryId query{};
  SubtaskId id{};
  Subtask subtask;
  std::uint32_t task_bytes = 0;
  TaskFeatures features;
};

// No further step will come. `pruned` will not be run; everything else reaches `sink`. If the
// planner call failed, this comes after its CallFailed; after kUseless the next plan counts from 0
// again.
struct PlanEnded {
  QueryId query{};
  PlanOutcome outcome = PlanOutcome::kComplete;
  std::optional<SubtaskId> sink;  // Present unless kUseless.
  std::vector<SubtaskId> pruned;
};

struct CallFirstToken {
  CallId call{};
};

struct CallDone {
  CallId call{};
  std::optional<Usage> usage;  // As reported; absent if the endpoint did not say.
  std::uint32_t output_bytes = 0;
  bool cut_by_length = false;
  bool has_answer = true;  // Something that looks like an answer was found in the text.
  std::optional<Signals> signals;
};

// For a call that was cancelled (`failure` is then kNone) it tells what it cost after all.
struct CallFailed {
  CallId call{};
  Failure failure = Failure::kServer;
  std::string detail;
  std::optional<Duration> retry_after;
  std::optional<Usage> usage;      // What was used before it failed, if known.
  bool billable = false;           // Whether the endpoint may have charged: something was sent.
  std::uint32_t output_bytes = 0;  // Text received before it failed.
};

struct TimerFired {
  std::uint64_t timer = 0;
};

struct CancelAsked {
  QueryId query{};
};

// The answer to WantBudget, or news: what all queries of an account together may use from now on.
// With a refusal it is no more than before.
struct BudgetChanged {
  AccountId account{};
  Budget limits = {};
  std::optional<Refusal> refusal = {};
};

using Event =
    std::variant<AccountOpened, AccountClosed, QueryArrived, StepParsed, PlanEnded, CallFirstToken,
                 CallDone, CallFailed, TimerFired, CancelAsked, BudgetChanged>;

// ---- commands ----

// Which prompt the driver builds for a call.
enum class Prompt : std::uint8_t {
  kPlan,     // Split the question.
  kReplan,   // Split it again; the driver names the fault of the first try.
  kSubtask,  // Instructions, question, results of the inputs, task.
  kSink,     // The same with the instruction to answer the question itself.
  kWhole,  // The question as it came; `subtask` is a node of the scheduler's own, after the plan's.
};

struct StartCall {
  CallId call{};
  QueryId query{};
  CallKind kind = CallKind::kSubtask;
  Prompt prompt = Prompt::kSubtask;
  SubtaskId subtask{};  // Meaningless for planner calls.
  EndpointId endpoint{};
  Tokens max_tokens;
  SubtaskIds inputs;                 // Done ones only, in id order.
  std::optional<TimePoint> give_up;  // When it is cancelled at the latest.
  std::int32_t priority = 0;         // Higher first: length of the path to the sink in tokens.
  bool is_attempt = false;           // The result is looked at before it stands.
  Amounts worst;                     // What is held for it.
  std::optional<AccountId> lease;    // The leased one that pays for it: its holder keeps book too.
};

struct CancelCall {
  CallId call{};
};

struct SetTimer {
  std::uint64_t timer = 0;
  TimePoint at{};
};

// What all queries of an account together may use does not suffice, and there may be more: `needed`
// is what the call that waits for it reserves. One at a time; BudgetChanged answers it.
struct WantBudget {
  AccountId account{};
  Amounts needed;
};

// What a call has cost, or may have. Only where the budget is leased: its holder keeps book too. A
// second one for a call is what it cost beyond that: its bill came late.
struct Booked {
  AccountId account{};  // The leased one.
  CallId call{};
  Amounts amounts;
};

// The last command of a query. The record stays readable until `Scheduler::forget`.
struct FinishQuery {
  QueryId query{};
  Outcome outcome = Outcome::kAnswered;
};

using Command = std::variant<StartCall, CancelCall, SetTimer, WantBudget, Booked, FinishQuery>;

}  // namespace hf
