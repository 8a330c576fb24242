#include "runtime/runtime.h"

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "net/http_client.h"
#include "plan/plan_reader.h"
#include "plan/prompts.h"
#include "route/answer.h"
#include "route/features.h"
#include "runtime/blackboard.h"
#include "runtime/budget_lease.h"
#include "runtime/chat_call.h"
#include "runtime/chat_context.h"
#include "runtime/chat_request.h"
#include "runtime/engine_supervisor.h"
#include "runtime/recorder.h"
#include "runtime/run_id.h"
#include "schedule/scheduler.h"
#include "wire/chat.h"

namespace hf {
namespace {

std::chrono::milliseconds milliseconds(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

Scheduler::Options scheduler_options(const Config& config) {
  Scheduler::Options options;
  for (const EndpointConfig& endpoint : config.endpoints)
    options.endpoints.push_back(endpoint.endpoint);
  options.planner = config.planner;
  options.process = config.process_budget;
  options.retry.attempts_max = config.attempts_max;
  options.hedge = config.hedge;
  if (config.ledger) {
    options.is_process_leased = true;
    options.process = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
  }
  options.plan_max_tokens = config.plan_tokens_max;
  options.subtask_max_tokens = config.subtask_tokens_max;
  options.sink_max_tokens = config.answer_tokens_max;
  options.prompt_overhead_bytes = kPromptOverheadBytes;
  options.input_overhead_bytes = kInputOverheadBytes;
  options.plan_overhead_bytes = kPlanOverheadBytes;
  return options;
}

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
              std::unique_ptr<net::HttpClient> client, std::unique_ptr<BudgetLease> lease,
              Recorder* recorder)
      : loop_(loop),
        config_(std::move(config)),
        client_(std::move(client)),
        engines_(std::move(engines)),
        features_(model.model),
        router_(std::move(router)),
        scheduler_(scheduler_options(config_), *router_),
        lease_(std::move(lease)),
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
    const TaskFeatures features = features_.read(board.query.question, 0);
    board.asks_for_result = features.numbers > 0 || features.choices > 0;
    feed(QueryArrived{.query = id,
                      .budget = board.query.budget,
                      .plan = board.gate.plan,
                      .plan_given = board.query.given.has_value(),
                      .local_only = board.query.local_only,
                      .question_bytes = question_bytes(board.query, board.context),
                      .features = features,
                      .seed = board.query.seed,
                      .among = board.query.among,
                      .answer_tokens = board.query.style.max_tokens});
    if (board.query.given) feed_given_plan(id, board);
    return id;
  }

  void cancel(QueryId query) override { feed(CancelAsked{query}); }

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
    calls_.emplace(command.call, LiveCall{command, nullptr});
    if (command.kind == CallKind::kPlanner) {
      board.reader.emplace(PlanReader::Options{.max_steps = config_.plan_steps_max});
      board.plan_ended = false;
      ++board.plan_tries;
    }
    board.listener->on_call_start(command, scheduler_.record(command.query));
    if (const auto journalled =
            lease_ ? lease_->started(command.call, command.worst) : Result<void>();
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
      if (live == calls_.end() || live->second.chat) return;
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

  void carry_out(const WantBudget& command) { feed(lease_->want(command.needed)); }

  void carry_out(const Booked& command) { lease_->booked(command.call, command.amounts); }

  void carry_out(const FinishQuery& command) {
    // Later, so that every command of this turn is carried out before the listener acts on it; by
    // a timer, because that does not outlive this object.
    reports_[command.query] = loop_.at(loop_.now(), [this, query = command.query] {
      const auto keep = reports_.extract(query);
      report(query);
    });
  }

  // ---- calls ----

  void send(CallId id, const EngineAddress& address) {
    LiveCall& live = calls_.at(id);
    const StartCall& command = live.command;
    const EndpointConfig& endpoint = config_.endpoints[index_of(command.endpoint)];
    live.chat = std::make_unique<ChatCall>(
        *client_, http_call(command, endpoint, address),
        ChatCall::Listener{
            .on_text = [this, id](std::string_view text) { take_text(id, text); },
            .on_end = [this, id](const ChatCall::Ended& ended) { end_call(id, ended); }});
  }

  net::Call http_call(const StartCall& command, const EndpointConfig& endpoint,
                      const EngineAddress& address) const {
    net::Call call = endpoint.engine ? engine_call(address) : net::Call{};
    if (!endpoint.engine) call.url = endpoint.url;
    call.url += "/chat/completions";
    call.headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}};
    if (!endpoint.api_key.empty())
      call.headers.emplace_back("Authorization", "Bearer " + endpoint.api_key);
    call.body = wire::write_chat_request(
        request_of(boards_.at(command.query), command, endpoint, config_.plan_steps_max));
    call.connect_timeout = milliseconds(endpoint.timeouts.connect);
    call.first_byte_timeout = milliseconds(endpoint.timeouts.first_token);
    call.gap_timeout = milliseconds(endpoint.timeouts.gap);
    call.total_timeout = milliseconds(endpoint.timeouts.total);
    return call;
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
    const auto output_bytes = static_cast<std::uint32_t>(text.size());
    if (ended.failure == Failure::kNone) {
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
    if (!node.mapped().chat) return;
    node.mapped().chat->cancel();
    loop_.post([dead = std::move(node.mapped().chat)]() mutable { dead.reset(); });
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
    Receipt receipt;
    receipt.run = board.query.run;
    receipt.policy = config_.policy;
    receipt.planned = board.gate.plan;
    receipt.gate_reason = board.gate.reason;
    receipt.plan_source = board.plan_source;
    receipt.steps = std::move(board.steps);
    receipt.repairs = std::move(board.repairs);
    receipt.plan_end = std::move(board.plan_end);
    receipt.record = scheduler_.record(query);
    // A step that was done before the plan's end showed that nothing needs it did run.
    std::erase_if(receipt.plan_end.pruned, [&](SubtaskId id) {
      return receipt.record.subtasks[index_of(id)].state != SubtaskState::kPruned;
    });
    add_whole_question(receipt, board);
    receipt.outputs = std::move(board.outputs);
    receipt.outputs.resize(receipt.record.subtasks.size());
    receipt.attempts = std::move(board.attempts);
    receipt.attempts.resize(receipt.record.subtasks.size());
    for (std::size_t i = 0; i < receipt.outputs.size(); ++i) {
      // That of an attempt that was to be done again when the query ended.
      if (receipt.record.subtasks[i].state != SubtaskState::kDone) receipt.outputs[i].clear();
    }
    const auto sink = receipt.record.sink;
    const bool is_answered = receipt.record.outcome == Outcome::kAnswered ||
                             receipt.record.outcome == Outcome::kDegraded;
    if (is_answered && sink) {
      const std::string& output = receipt.outputs[index_of(*sink)];
      receipt.answer = output.empty() ? board.answer : output;
    }
    // An attempt that stands was not shown yet.
    if (is_answered && receipt.answer != board.answer) {
      if (!board.answer.empty()) board.listener->on_answer_restart();
      board.listener->on_answer_text(receipt.answer);
    }
    for (const EndpointConfig& endpoint : config_.endpoints)
      receipt.endpoints.push_back(endpoint.endpoint);
    if (recorder_ != nullptr) recorder_->forget(receipt.record);
    scheduler_.forget(query);
    board.listener->on_finish(receipt);
  }

  // The node that stands for the question itself has no step of its own in the plan.
  static void add_whole_question(Receipt& receipt, const Blackboard& board) {
    for (std::size_t i = receipt.steps.size(); i < receipt.record.subtasks.size(); ++i) {
      PlannedStep& step = receipt.steps.emplace_back();
      step.id = SubtaskId(static_cast<std::uint32_t>(i));
      step.label = i == 0 ? "1" : "whole";
      step.subtask = receipt.record.subtasks[i].subtask;
      step.task = board.query.question;
    }
  }

  net::EventLoop& loop_;
  const Config config_;
  std::unique_ptr<net::HttpClient> client_;
  std::vector<std::unique_ptr<EngineSupervisor>> engines_;  // By EndpointId; null for remote ones.
  FeatureReader features_;
  std::unique_ptr<Router> router_;
  Scheduler scheduler_;
  const std::unique_ptr<BudgetLease> lease_;  // Null unless a durable budget is configured.
  Recorder* const recorder_;
  std::map<QueryId, Blackboard> boards_;
  std::map<CallId, LiveCall> calls_;
  std::map<std::uint64_t, std::unique_ptr<net::EventLoop::Timer>> timers_;
  std::map<QueryId, std::unique_ptr<net::EventLoop::Timer>> reports_;
  std::deque<Event> events_;
  std::vector<Command> commands_;
  std::uint64_t next_query_ = 1;
  bool is_feeding_ = false;
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
  std::unique_ptr<BudgetLease> lease;
  if (config.ledger) {
    HF_TRY(lease, BudgetLease::open(*config.ledger, options.ledger_path));
  }
  return std::make_unique<LiveRuntime>(loop, std::move(config), options.model, std::move(router),
                                       std::move(engines), std::move(client), std::move(lease),
                                       options.recorder);
}

}  // namespace hf
