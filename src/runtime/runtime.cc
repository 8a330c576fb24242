#include "runtime/runtime.h"

#include <deque>
#include <map>
#include <utility>

#include "net/http_client.h"
#include "plan/plan_reader.h"
#include "plan/prompts.h"
#include "route/answer.h"
#include "route/features.h"
#include "runtime/blackboard.h"
#include "runtime/budget_leases.h"
#include "runtime/chat_call.h"
#include "runtime/chat_context.h"
#include "runtime/chat_request.h"
#include "runtime/endpoint_call.h"
#include "runtime/engine_supervisor.h"
#include "runtime/forward_call.h"
#include "runtime/receipt_of.h"
#include "runtime/recorder.h"
#include "runtime/run_id.h"
#include "runtime/scheduler_options.h"
#include "schedule/scheduler.h"
#include "wire/chat.h"

namespace hf {
namespace {

// Some endpoints repeat the key that they refuse.
std::string without_key(std::string text, const std::string& key) {
  if (key.empty()) return text;
  constexpr std::string_view kInstead = "[key]";
  for (std::size_t at = text.find(key); at != std::string::npos;
       at = text.find(key, at + kInstead.size())) {
    text.replace(at, key.size(), kInstead);
  }
  return text;
}

class LiveRuntime final : public Runtime {
 public:
  LiveRuntime(net::EventLoop& loop, Config config, const RouterModel& model,
              std::unique_ptr<Router> router,
              std::vector<std::unique_ptr<EngineSupervisor>> engines,
              std::unique_ptr<net::HttpClient> client, std::unique_ptr<BudgetLeases> leases,
              Recorder* recorder)
      : loop_(loop),
        config_(std::move(config)),
        client_(std::move(client)),
        engines_(std::move(engines)),
        features_(model.model),
        router_(std::move(router)),
        scheduler_(scheduler_options(config_), *router_),
        leases_(std::move(leases)),
        recorder_(recorder) {
    if (recorder_ == nullptr) return;
    recorder_->start({.program = {},
                      .policy = config_.policy,
                      .weights = model.digest,
                      .corrections = model.model && model.model->corrections
                                         ? learn::to_text(*model.model->corrections)
                                         : std::string(),
                      .policy_options = config_.policy_options,
                      .scheduler = scheduler_options(config_)});
  }

  QueryId submit(UserQuery query, QueryListener& listener) override {
    const QueryId id{next_query_++};
    Blackboard& board = boards_[id];
    board.gate = gate(query.question, query.plan);
    board.listener = &listener;
    board.query = std::move(query);
    if (board.query.run.empty()) board.query.run = make_run_id();
    board.context = chat_context(board.query.messages);
    listener.on_gate(board.gate);
    const bool is_forwarded = board.query.forward.has_value();
    // Where there is no choice, nobody looks at the question.
    const bool has_choice = !is_forwarded || board.query.among.size() != 1;
    const TaskFeatures features =
        has_choice ? features_.read(board.query.question, 0) : TaskFeatures{};
    board.asks_for_result = features.numbers > 0 || features.choices > 0;
    feed(QueryArrived{.query = id,
                      .budget = board.query.budget,
                      .plan = board.gate.plan,
                      .plan_given = board.query.given.has_value(),
                      .local_only = board.query.local_only,
                      .question_bytes = is_forwarded ? board.query.forward->prompt_tokens_max
                                                     : question_bytes(board.query, board.context),
                      .features = features,
                      .seed = board.query.seed,
                      .among = board.query.among,
                      .answer_tokens = board.query.style.max_tokens,
                      .account = board.query.account,
                      .is_forwarded = is_forwarded,
                      .is_cap_fixed = is_forwarded && !board.query.forward->adds_cap});
    if (board.query.given) feed_given_plan(id, board);
    return id;
  }

  void cancel(QueryId query) override { feed(CancelAsked{query}); }

  Result<AccountId> open_account(const AccountSpec& spec) override {
    const AccountId account{next_account_};
    if (spec.scope) {
      if (!leases_) return fail(Code::kInvalidInput, "There is no store for durable budgets.");
      HF_CHECK(leases_->pay_from(account, *spec.scope));
    }
    ++next_account_;
    const Budget nothing{.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
    feed(AccountOpened{.account = account,
                       .name = spec.name,
                       .limits = spec.scope ? nothing : spec.limits,
                       .is_leased = spec.scope.has_value(),
                       .parent = spec.parent});
    return account;
  }

  void close_account(AccountId account) override {
    feed(AccountClosed{account});
    if (leases_) leases_->close(account);
  }

  BudgetState account_state(AccountId account) const override {
    return scheduler_.account_state(account).value_or(BudgetState{});
  }

  Result<store::Report> durable_budgets() override {
    return leases_ ? leases_->report() : store::Report{};
  }

  void warm_up() override {
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      const bool is_unlikely =
          config_.policy == "edge" && config_.endpoints[i].endpoint.tier == Tier::kCloud;
      if (engines_[i] && !is_unlikely) engines_[i]->when_up([](const Result<EngineAddress>&) {});
    }
  }

 private:
  // A call that the scheduler asked for. `chat` is absent while its engine starts.
  struct LiveCall {
    StartCall command;
    std::unique_ptr<ChatCall> chat;
    std::unique_ptr<ForwardCall> forward;  // In its place, of a query that is forwarded.
  };

  // ---- events in, commands out ----

  // Events that come up while commands are carried out wait for their turn, so that the scheduler
  // is never entered twice.
  void feed(Event event) {
    events_.push_back(std::move(event));
    if (is_feeding_) return;
    is_feeding_ = true;
    while (!events_.empty()) {
      const Event next = std::move(events_.front());
      events_.pop_front();
      commands_.clear();
      const TimePoint now = loop_.now();
      scheduler_.step(now, next, commands_);
      if (recorder_ != nullptr) recorder_->step(now, next, commands_);
      for (const Command& command : commands_) {
        std::visit([this](const auto& c) { carry_out(c); }, command);
      }
    }
    is_feeding_ = false;
  }

  void carry_out(const StartCall& command) {
    Blackboard& board = boards_.at(command.query);
    calls_.emplace(command.call, LiveCall{command, nullptr, nullptr});
    if (command.kind == CallKind::kPlanner) {
      board.reader.emplace(PlanReader::Options{.max_steps = config_.plan_steps_max});
      board.plan_ended = false;
      ++board.plan_tries;
    }
    board.listener->on_call_start(command, scheduler_.record(command.query));
    if (const auto journalled = command.lease
                                    ? leases_->started(*command.lease, command.call, command.worst)
                                    : Result<void>();
        !journalled) {
      ChatCall::Ended ended;
      ended.failure = Failure::kRejected;
      ended.detail = journalled.error().message;
      return end_call(command.call, ended);
    }
    EngineSupervisor* engine = engines_[index_of(command.endpoint)].get();
    if (engine == nullptr) return send(command.call, {});
    engine->work_started();
    engine->when_up([this, call = command.call](const Result<EngineAddress>& address) {
      const auto live = calls_.find(call);
      if (live == calls_.end() || live->second.chat || live->second.forward) return;
      if (address) return send(call, *address);
      const bool is_hopeless = address.error().code == Code::kInvalidInput;
      ChatCall::Ended ended;
      ended.failure = is_hopeless ? Failure::kRejected : Failure::kRefused;
      ended.detail = address.error().message;
      end_call(call, ended);
    });
  }

  void carry_out(const CancelCall& command) { drop_call(command.call); }

  void carry_out(const SetTimer& command) {
    timers_[command.timer] = loop_.at(command.at, [this, timer = command.timer] {
      const auto keep = timers_.extract(timer);
      feed(TimerFired{timer});
    });
  }

  void carry_out(const WantBudget& command) {
    feed(leases_->want(command.account, command.needed));
  }

  void carry_out(const Booked& command) {
    leases_->booked(command.account, command.call, command.amounts);
  }

  void carry_out(const FinishQuery& command) {
    // Later, so that every command of this turn is carried out before the listener acts on it.
    loop_.post([self = std::weak_ptr(self_), query = command.query] {
      if (const auto alive = self.lock()) (*alive)->report(query);
    });
  }

  // ---- calls ----

  void send(CallId id, const EngineAddress& address) {
    LiveCall& live = calls_.at(id);
    const StartCall& command = live.command;
    const EndpointConfig& endpoint = config_.endpoints[index_of(command.endpoint)];
    if (boards_.at(command.query).query.forward) return forward_request(live, endpoint, address);
    live.chat = std::make_unique<ChatCall>(
        *client_,
        call_to(endpoint, address, boards_.at(command.query), command, config_.plan_steps_max),
        ChatCall::Listener{
            .on_text = [this, id](std::string_view text) { take_text(id, text); },
            .on_end = [this, id](const ChatCall::Ended& ended) { end_call(id, ended); }});
  }

  void forward_request(LiveCall& live, const EndpointConfig& endpoint,
                       const EngineAddress& address) {
    const CallId id = live.command.call;
    const Forward& forward = *boards_.at(live.command.query).query.forward;
    const auto listener = [this, id] { return boards_.at(calls_.at(id).command.query).listener; };
    live.forward = std::make_unique<ForwardCall>(
        *client_,
        call_to(endpoint, address, boards_.at(live.command.query), live.command,
                config_.plan_steps_max),
        ForwardCall::Options{.is_streamed = forward.is_streamed,
                             .hides_usage = forward.hides_usage},
        ForwardCall::Listener{
            .on_head =
                [this, id, listener](const net::CallHead& head) {
                  listener()->on_forward_head(calls_.at(id).command.endpoint, head);
                  feed(CallFirstToken{id});
                },
            .on_bytes = [listener](std::string_view bytes) { listener()->on_forward_bytes(bytes); },
            .on_error = [listener](
                            const net::CallHead& head,
                            std::string_view body) { listener()->on_forward_error(head, body); },
            .on_end = [this, id](const ChatCall::Ended& ended) { end_call(id, ended); }});
  }

  void take_text(CallId id, std::string_view text) {
    LiveCall& live = calls_.at(id);
    const StartCall command = live.command;
    Blackboard& board = boards_.at(command.query);
    const bool is_first = live.chat == nullptr || live.chat->pieces() == 1;
    board.listener->on_call_text(id, text);
    if (command.kind == CallKind::kPlanner) {
      if (!board.plan_ended) take_steps(command.query, board, board.reader->push(text));
      if (!board.plan_ended && board.reader->is_closed()) end_plan(command.query, board, false);
    } else if (is_answer(board, command) && !command.is_attempt) {
      forward(board, id, text, live.chat->text());
    }
    if (is_first) feed(CallFirstToken{id});
  }

  static bool is_answer(const Blackboard& board, const StartCall& command) {
    return command.prompt == Prompt::kWhole || board.plan_end.sink == command.subtask;
  }

  // A call may turn out to be the sink's only after it has begun: then all its text is new. Of two
  // rivals the first to speak is shown; the other only if it has won.
  void forward(Blackboard& board, CallId id, std::string_view text, std::string_view all_text) {
    if (board.answer_call != id) {
      if (board.answer_call && calls_.contains(*board.answer_call)) return;
      if (!board.answer.empty()) board.listener->on_answer_restart();
      board.answer.clear();
      board.answer_call = id;
      text = all_text;
    }
    board.answer.append(text);
    board.listener->on_answer_text(text);
  }

  void end_call(CallId id, const ChatCall::Ended& ended) {
    const auto live = calls_.find(id);
    if (live == calls_.end()) return;
    const StartCall command = live->second.command;
    std::string text = live->second.chat ? live->second.chat->text() : std::string();
    const std::uint64_t forwarded = live->second.forward ? live->second.forward->bytes() : 0;
    // There is no network in between: a connection to an engine breaks only with the engine.
    const bool is_engine_lost =
        engines_[index_of(command.endpoint)] &&
        (ended.failure == Failure::kCut || ended.failure == Failure::kRefused);
    drop_call(id);
    Blackboard& board = boards_.at(command.query);

    if (command.kind == CallKind::kPlanner && ended.failure == Failure::kNone &&
        !board.plan_ended && !ended.cut_by_length &&
        !config_.endpoints[index_of(command.endpoint)].accepts_grammar) {
      // The end tag was the stop word, so it is not in the text.
      take_steps(command.query, board, board.reader->push(kPlanEndTag));
    }
    const auto output_bytes = static_cast<std::uint32_t>(text.size() + forwarded);
    // What has left cannot be taken back: whoever listens may cancel the query before it goes on.
    if (ended.failure != Failure::kNone && forwarded > 0) board.listener->on_answer_restart();
    if (ended.failure == Failure::kNone && board.query.forward) {
      feed(CallDone{.call = id, .usage = ended.usage, .output_bytes = output_bytes, .signals = {}});
    } else if (ended.failure == Failure::kNone) {
      if (command.kind != CallKind::kPlanner) {
        const bool was_shown = board.answer_call == id;
        if (command.is_attempt) board.set_attempt(command.subtask, text);
        if (!was_shown && board.answer_call && is_answer(board, command) && !command.is_attempt) {
          board.answer_call.reset();  // The rival that was shown has lost.
          forward(board, id, text, text);
        }
        board.set_output(command.subtask, text);
      }
      // A step in between may be answered in words.
      const bool must_answer = board.asks_for_result && is_answer(board, command);
      const bool has_answer = !must_answer || !final_answer(text).empty();
      feed(CallDone{.call = id,
                    .usage = ended.usage,
                    .output_bytes = output_bytes,
                    .cut_by_length = ended.cut_by_length,
                    .has_answer = has_answer,
                    .signals = ended.signals});
    } else {
      feed(CallFailed{.call = id,
                      .failure = is_engine_lost ? Failure::kEngineLost : ended.failure,
                      .detail = without_key(ended.detail, key_of(command.endpoint)),
                      .retry_after = ended.retry_after,
                      .usage = ended.usage,
                      .billable = ended.billable,
                      .output_bytes = output_bytes});
    }
    if (command.kind == CallKind::kPlanner && !board.plan_ended) {
      end_plan(command.query, board, ended.failure != Failure::kNone || ended.cut_by_length);
    }
    if (const auto still = boards_.find(command.query); still != boards_.end()) {
      still->second.listener->on_change(scheduler_.record(command.query));
    }
  }

  const std::string& key_of(EndpointId endpoint) const {
    return config_.endpoints[index_of(endpoint)].api_key;
  }

  // Forgets the call and closes its connection. Its own callbacks may be on the stack, so it is
  // destroyed in a later turn.
  void drop_call(CallId id) {
    auto node = calls_.extract(id);
    if (node.empty()) return;
    EngineSupervisor* engine = engines_[index_of(node.mapped().command.endpoint)].get();
    if (engine != nullptr) engine->work_ended();
    if (node.mapped().chat) node.mapped().chat->cancel();
    if (node.mapped().forward) node.mapped().forward->cancel();
    loop_.post([dead = std::move(node.mapped())] {});
  }

  // ---- plans ----

  void take_steps(QueryId query, Blackboard& board, std::vector<PlannedStep> steps) {
    for (PlannedStep& step : steps) {
      board.listener->on_step(step);
      const StepParsed event{.query = query,
                             .id = step.id,
                             .subtask = step.subtask,
                             .task_bytes = static_cast<std::uint32_t>(step.task.size()),
                             .features = features_.read(step.task, step.difficulty)};
      board.steps.push_back(std::move(step));
      if (!board.query.only_plan) feed(event);
    }
  }

  void end_plan(QueryId query, Blackboard& board, bool is_cut) {
    PlanReader::End end = board.reader->finish(is_cut);
    board.plan_ended = true;
    take_steps(query, board, std::move(end.steps));
    const auto steps = board.reader->steps();
    board.steps.assign(steps.begin(), steps.end());
    const auto repairs = board.reader->repairs();
    board.repairs.insert(board.repairs.end(), repairs.begin(), repairs.end());
    announce_plan(query, board, end.plan, "planner");
  }

  void feed_given_plan(QueryId query, Blackboard& board) {
    const GivenPlan given = *board.query.given;
    board.repairs = given.repairs;
    take_steps(query, board, given.steps);
    announce_plan(query, board, given.end, "file");
  }

  void announce_plan(QueryId query, Blackboard& board, const PlanEnd& end,
                     std::string_view source) {
    board.plan_end = end;
    board.plan_source = end.outcome == PlanOutcome::kUseless ? "none" : source;
    board.listener->on_plan_end(end, board.repairs);
    const bool is_last_try = end.outcome != PlanOutcome::kUseless || board.plan_tries == 2;
    if (board.query.only_plan && is_last_try) return feed(CancelAsked{query});
    feed(PlanEnded{.query = query, .outcome = end.outcome, .sink = end.sink, .pruned = end.pruned});
  }

  // ---- the end ----

  void report(QueryId query) {
    auto node = boards_.extract(query);
    if (node.empty()) return;
    Blackboard& board = node.mapped();
    const std::string shown = board.answer;
    Receipt receipt = receipt_of(board, scheduler_.record(query), config_);
    const bool is_answered = receipt.record.outcome == Outcome::kAnswered ||
                             receipt.record.outcome == Outcome::kDegraded;
    // An attempt that stands was not shown yet.
    if (is_answered && !board.query.forward && receipt.answer != shown) {
      if (!shown.empty()) board.listener->on_answer_restart();
      board.listener->on_answer_text(receipt.answer);
    }
    if (recorder_ != nullptr) recorder_->forget(receipt.record);
    scheduler_.forget(query);
    board.listener->on_finish(std::move(receipt));
  }

  net::EventLoop& loop_;
  const Config config_;
  std::unique_ptr<net::HttpClient> client_;
  std::vector<std::unique_ptr<EngineSupervisor>> engines_;  // By EndpointId; null for remote ones.
  FeatureReader features_;
  std::unique_ptr<Router> router_;
  Scheduler scheduler_;
  const std::unique_ptr<BudgetLeases> leases_;  // Null unless a durable budget is configured.
  Recorder* const recorder_;
  std::map<QueryId, Blackboard> boards_;
  std::map<CallId, LiveCall> calls_;
  std::map<std::uint64_t, std::unique_ptr<net::EventLoop::Timer>> timers_;
  std::deque<Event> events_;
  std::vector<Command> commands_;
  std::uint64_t next_query_ = 1;
  std::uint32_t next_account_ = 1;
  bool is_feeding_ = false;
  // For work that may come up when this object is gone.
  const std::shared_ptr<LiveRuntime*> self_ = std::make_shared<LiveRuntime*>(this);
};

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::create(net::EventLoop& loop, Config config,
                                                 const RuntimeOptions& options) {
  HF_TRY(auto router, make_router(config.policy, config.policy_options, options.model.model));
  auto client = net::HttpClient::create(loop);
  std::vector<std::unique_ptr<EngineSupervisor>> engines(config.endpoints.size());
  for (std::size_t i = 0; i < engines.size(); ++i) {
    if (!config.endpoints[i].engine) continue;
    HF_TRY(engines[i], make_engine_supervisor(loop, *client, config.endpoints[i], options));
  }
  std::unique_ptr<BudgetLeases> leases;
  if (config.ledger || options.opens_ledger) {
    HF_TRY(leases, BudgetLeases::open(config.ledger.value_or(LedgerConfig{}), options.ledger_path));
  }
  return std::make_unique<LiveRuntime>(loop, std::move(config), options.model, std::move(router),
                                       std::move(engines), std::move(client), std::move(leases),
                                       options.recorder);
}

}  // namespace hf
