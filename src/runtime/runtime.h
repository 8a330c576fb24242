// The live driver: turns the scheduler's commands into calls and the replies into events, keeps the
// texts, and tells a listener what happens.
//
// Everything happens on the loop's thread. The loop and the listeners must outlive the runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "config/config.h"
#include "model/chat.h"
#include "model/plan.h"
#include "model/receipt.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "plan/gate.h"
#include "plan/given_plan.h"
#include "runtime/router_model.h"
#include "schedule/event.h"
#include "store/ledger_file.h"

namespace hf {

// How the answer itself is to be written, where the caller says so.
struct AnswerStyle {
  std::optional<Tokens> max_tokens = {};  // No more than the configuration allows in any case.
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
  std::optional<std::uint64_t> seed = {};
  std::vector<std::string> stop = {};
};

// A request that goes out as it came, but for the name of the model.
struct Forward {
  std::string path;                     // Behind the endpoint's URL: "/chat/completions".
  std::string before;                   // The body up to the model's name,
  std::string after;                    // and behind it.
  std::uint32_t prompt_tokens_max = 0;  // More its prompt cannot be.
  bool adds_cap = false;  // The request has no cap of the answer: that of the call is put in.
  bool is_streamed = false;
  bool hides_usage = false;  // The client did not ask for the usage at the end of its stream.
};

// A budget that queries share. At most one of `limits` and `scope`.
struct AccountSpec {
  std::string name;                            // What refusals call it.
  Budget limits = {};                          // As long as the process lives.
  std::optional<store::ScopeSpec> scope = {};  // Or a durable one, which is made if need be.
  std::optional<AccountId> parent = {};
};

struct UserQuery {
  std::string question;  // Not empty, valid UTF-8.
  PlanMode plan = PlanMode::kAuto;
  std::optional<GivenPlan> given;  // Present iff `plan` is kGiven.
  std::string policy;              // For the receipt: what was asked; empty: the configured one.
  bool only_plan = false;          // Stop when the plan is there; its steps are not run.
  bool local_only = false;         // Only endpoints that are local see anything of it.
  Budget budget;
  std::uint64_t seed = 0;
  std::string run = {};                    // Id of the run, see make_run_id; empty: one is made.
  std::vector<ChatMessage> messages = {};  // A chat that ends with the question; empty: no chat.
  std::vector<EndpointId> among = {};      // Nothing of it may go elsewhere; empty: no such rule.
  AnswerStyle style = {};
  AccountId account{};                  // Who pays.
  std::optional<Forward> forward = {};  // Instead of all that makes up a prompt; never planned.
};

// What happens to one query, as it happens. Default: nothing is done with it.
class QueryListener {
 public:
  virtual ~QueryListener() = default;
  virtual void on_gate(const GateVerdict& /*verdict*/) {}
  virtual void on_step(const PlannedStep& /*step*/) {}
  virtual void on_plan_end(const PlanEnd& /*end*/, std::span<const std::string> /*repairs*/) {}
  // `record` is that of the query, after the change.
  virtual void on_call_start(const StartCall& /*call*/, const RunRecord& /*record*/) {}
  virtual void on_call_text(CallId /*call*/, std::string_view /*text*/) {}
  virtual void on_change(const RunRecord& /*record*/) {}
  // Text of the final answer as it comes; on_answer_restart voids what came before.
  virtual void on_answer_text(std::string_view /*text*/) {}
  virtual void on_answer_restart() {}
  // Of a query that is forwarded: the head of an answer and its bytes as they come; the answer of
  // failure of a call, which may be tried again.
  virtual void on_forward_head(EndpointId /*endpoint*/, const net::CallHead& /*head*/) {}
  virtual void on_forward_bytes(std::string_view /*bytes*/) {}
  virtual void on_forward_error(const net::CallHead& /*head*/, std::string_view /*body*/) {}
  virtual void on_finish(Receipt receipt) = 0;
};

class Recorder;

struct RuntimeOptions {
  std::string program;  // This binary, to start engines with.
  std::string model_directory;
  std::string runtime_directory;  // For sockets and logs of engines; private to this user.
  std::string ledger_path = {};   // Of the durable budgets, unless the configuration names one.
  bool opens_ledger = false;      // Also if the configuration has no durable budget.
  Recorder* recorder = nullptr;   // Logs the run; must outlive the runtime. Null: no log.
  RouterModel model = {};         // See load_router_model.
};

class Runtime {
 public:
  // Checks what can be checked before the first call: that every engine's model is there and that
  // the binary has an engine. kInvalidInput says what to do.
  static Result<std::unique_ptr<Runtime>> create(net::EventLoop& loop, Config config,
                                                 const RuntimeOptions& options);
  virtual ~Runtime() = default;  // Cancels what runs and stops the engines.

  virtual QueryId submit(UserQuery query, QueryListener& listener) = 0;
  virtual void cancel(QueryId query) = 0;

  // kInvalidInput: a durable scope that cannot be used.
  virtual Result<AccountId> open_account(const AccountSpec& spec) = 0;
  // Gives back what it has leased. REQUIRES: none of its queries runs, and none will come.
  virtual void close_account(AccountId account) = 0;
  // What it spent and holds here; its limits, or what is leased of them.
  [[nodiscard]] virtual BudgetState account_state(AccountId account) const = 0;
  // All durable scopes; none without a store.
  virtual Result<store::Report> durable_budgets() = 0;

  // Starts the engines that the policy is likely to use, so that the first call does not wait for a
  // model to load.
  virtual void warm_up() = 0;
};

}  // namespace hf
