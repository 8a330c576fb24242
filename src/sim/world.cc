#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "graph/graph.h"
#include "sim/checker.h"
#include "sim/words.h"

namespace hf::sim {
namespace {

WorldSpec with_endpoints(WorldSpec spec) {
  spec.options.endpoints.clear();
  for (const EndpointScript& each : spec.endpoints) {
    spec.options.endpoints.push_back(each.endpoint);
  }
  return spec;
}

std::string amounts(const Amounts& amounts) {
  return fmt::format("${:.6f} and {} cloud tokens",
                     static_cast<double>(amounts.usd.count()) / static_cast<double>(kPicoPerUsd),
                     amounts.cloud_tokens.count());
}

// A world in which this much happens does not end.
constexpr int kEventsMax = 100'000;

}  // namespace

class World::Impl {
 public:
  explicit Impl(WorldSpec spec);

  std::string run();
  [[nodiscard]] const Checker& checker() const { return checker_; }
  [[nodiscard]] const Scheduler& scheduler() const { return *scheduler_; }

 private:
  struct Pending {
    TimePoint at{};
    std::uint64_t sequence = 0;
    Event event;
    std::optional<CallId> of;  // Not delivered if this call was cancelled.

    friend bool operator>(const Pending& a, const Pending& b) {
      return std::tuple(a.at, a.sequence) > std::tuple(b.at, b.sequence);
    }
  };
  struct Running {
    StartCall start;
    std::string job;
    TimePoint started{};
    bool is_cancelled = false;
  };

  void post(Duration wait, Event event, std::optional<CallId> of = std::nullopt);
  void carry_out(const StartCall& command);
  void carry_out(const CancelCall& command);
  void carry_out(const SetTimer& command);
  void carry_out(const FinishQuery&) {}
  void play_plan(const StartCall& command, const CallRule* rule);
  void play_steps(const QueryScript& query, const PlanScript& plan, std::optional<CallId> of,
                  std::optional<Duration> until);
  void play_call(const StartCall& command, const CallRule* rule);
  [[nodiscard]] Usage usage_of(const StartCall& command) const;
  [[nodiscard]] const CallRule* rule_for(const StartCall& command, const std::string& job,
                                         std::uint32_t nth) const;
  [[nodiscard]] std::string job_name(const StartCall& command) const;
  [[nodiscard]] const QueryScript& script(QueryId id) const;
  [[nodiscard]] std::string describe(const Event& event) const;
  [[nodiscard]] std::string describe(const Command& command) const;
  [[nodiscard]] std::string call_name(CallId id) const;
  [[nodiscard]] std::string bill(CallId id) const;
  void say(std::string_view line);

  WorldSpec spec_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scheduler> scheduler_;
  Checker checker_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> pending_;
  std::uint64_t sequence_ = 0;
  TimePoint now_{};
  std::map<CallId, Running> calls_;
  std::map<std::tuple<QueryId, EndpointId, std::string>, std::uint32_t> counts_;
  std::map<QueryId, std::size_t> plans_;                 // Scripts begun.
  std::map<QueryId, std::vector<StepScript>> released_;  // Steps that the scheduler knows.
  std::string trace_;
};

World::Impl::Impl(WorldSpec spec)
    : spec_(with_endpoints(std::move(spec))), checker_(spec_.options) {
  auto router = make_router(spec_.policy, spec_.policy_options);
  HF_ASSERT(router.has_value());
  router_ = std::move(*router);
  scheduler_ = std::make_unique<Scheduler>(spec_.options, *router_);
}

void World::Impl::post(Duration wait, Event event, std::optional<CallId> of) {
  pending_.push({now_ + wait, sequence_++, std::move(event), of});
}

std::string World::Impl::run() {
  for (const QueryScript& query : spec_.queries) {
    post(query.at, QueryArrived{.query = query.id,
                                .budget = query.budget,
                                .plan = query.plan,
                                .plan_given = query.plan_given,
                                .question_bytes = query.question_bytes,
                                .features = {},
                                .seed = query.seed});
    if (query.cancel_at) post(*query.cancel_at, CancelAsked{query.id});
  }
  std::vector<Command> commands;
  for (int events = 0; !pending_.empty(); ++events) {
    HF_ASSERT(events < kEventsMax);
    const Pending next = pending_.top();
    pending_.pop();
    if (next.of && calls_.at(*next.of).is_cancelled) continue;
    now_ = next.at;
    const auto* arrived = std::get_if<QueryArrived>(&next.event);
    if (const auto* step = std::get_if<StepParsed>(&next.event)) {
      const std::size_t plan = plans_.at(step->query) - 1;
      released_[step->query].push_back(script(step->query).plans[plan].steps[index_of(step->id)]);
    }
    commands.clear();
    checker_.saw(now_, next.event);
    scheduler_->step(now_, next.event, commands);
    const std::string line = describe(next.event);
    if (!line.empty() || !commands.empty()) say(line.empty() ? "timer" : line);
    for (const Command& command : commands) {
      checker_.saw(now_, command, *scheduler_);
      std::visit([this](const auto& each) { carry_out(each); }, command);
      const std::string words = describe(command);
      if (!words.empty()) say("  " + words);
    }
    checker_.check(now_, *scheduler_);
    if (arrived != nullptr && arrived->plan_given) {
      plans_[arrived->query] = 1;
      const QueryScript& query = script(arrived->query);
      play_steps(query, query.plans.front(), std::nullopt, std::nullopt);
    }
  }
  checker_.check_end();
  return trace_;
}

void World::Impl::carry_out(const StartCall& command) {
  const std::string job = job_name(command);
  calls_[command.call] = {command, job, now_};
  const std::uint32_t nth = ++counts_[{command.query, command.endpoint, job}];
  const CallRule* rule = rule_for(command, job, nth);
  if (command.kind == CallKind::kPlanner) return play_plan(command, rule);
  play_call(command, rule);
}

void World::Impl::carry_out(const CancelCall& command) {
  Running& call = calls_.at(command.call);
  call.is_cancelled = true;
  if (!spec_.bill_delay) return;
  Usage usage = usage_of(call.start);
  usage.completion = Tokens(usage.completion.count() / 2);
  if (index_of(command.call) % 2 == 0) {  // It may also have got to its end meanwhile.
    return post(*spec_.bill_delay, CallDone{.call = command.call, .usage = usage, .signals = {}});
  }
  post(*spec_.bill_delay, CallFailed{.call = command.call,
                                     .failure = Failure::kNone,
                                     .detail = {},
                                     .retry_after = {},
                                     .usage = usage,
                                     .billable = true});
}

void World::Impl::carry_out(const SetTimer& command) {
  post(std::max(command.at - now_, Duration(0)), TimerFired{command.timer});
}

// The steps that come before `until`, then the end of the plan: the scripted one, or what is left
// of it if the call failed.
void World::Impl::play_steps(const QueryScript& query, const PlanScript& plan,
                             std::optional<CallId> of, std::optional<Duration> until) {
  Graph graph;
  for (const StepScript& step : plan.steps) {
    if (until && step.at > *until) break;
    const SubtaskId id = graph.add(step.subtask);
    TaskFeatures features;
    features.difficulty = step.difficulty;
    post(step.at, StepParsed{query.id, id, step.subtask, step.task_bytes, features}, of);
  }
  if (!until) return post(plan.end, PlanEnded{query.id, plan.outcome, plan.sink, plan.pruned}, of);
  PlanEnded cut{.query = query.id, .outcome = PlanOutcome::kUseless, .sink = {}, .pruned = {}};
  if (graph.size() > 0) {
    cut.outcome = PlanOutcome::kTruncated;
    cut.sink = static_cast<SubtaskId>(graph.size() - 1);
    cut.pruned = graph.not_reaching(*cut.sink);
  }
  post(*until, std::move(cut), of);
}

void World::Impl::play_plan(const StartCall& command, const CallRule* rule) {
  const QueryScript& query = script(command.query);
  std::size_t& begun = plans_[command.query];
  begun = std::min(begun + 1, query.plans.size());
  const PlanScript& plan = query.plans[begun - 1];
  const bool fails = rule != nullptr && rule->failure != Failure::kNone;
  const Duration end = rule != nullptr && rule->after ? *rule->after
                       : fails                        ? plan.end
                                                      : std::max(plan.call_end, plan.end);
  const Usage usage = rule != nullptr && rule->usage ? *rule->usage : usage_of(command);
  const bool is_told = rule == nullptr || rule->has_usage;
  if (!fails) {
    // A call that ends together with its plan is told first.
    const bool ends_first = plan.call_end <= plan.end;
    const CallDone done{.call = command.call,
                        .usage = is_told ? std::optional(usage) : std::nullopt,
                        .output_bytes = 400,
                        .signals = {}};
    if (ends_first) post(end, done, command.call);
    play_steps(query, plan, command.call, std::nullopt);
    if (!ends_first) post(end, done, command.call);
    return;
  }
  CallFailed failed{.call = command.call,
                    .failure = rule->failure,
                    .detail = {},
                    .retry_after = rule->retry_after,
                    .usage = std::nullopt,
                    .billable = rule->is_billable};
  post(end, std::move(failed), command.call);
  play_steps(query, plan, command.call, end);
}

void World::Impl::play_call(const StartCall& command, const CallRule* rule) {
  const EndpointScript& endpoint = spec_.endpoints[index_of(command.endpoint)];
  const Usage truth = usage_of(command);
  const Usage usage = rule != nullptr && rule->usage ? *rule->usage : truth;
  Duration end = endpoint.first_token + endpoint.per_token * truth.completion.count();
  if (rule != nullptr && rule->after) end = *rule->after;
  if (endpoint.first_token < end) {
    post(endpoint.first_token, CallFirstToken{command.call}, command.call);
  }
  const bool is_told = rule == nullptr || rule->has_usage;
  if (rule == nullptr || rule->failure == Failure::kNone) {
    const auto bytes = static_cast<std::uint32_t>(truth.completion.count() * 4);
    CallDone done{.call = command.call,
                  .usage = is_told ? std::optional(usage) : std::nullopt,
                  .output_bytes = bytes,
                  .signals = {}};
    return post(end, done, command.call);
  }
  CallFailed failed{.call = command.call,
                    .failure = rule->failure,
                    .detail = {},
                    .retry_after = rule->retry_after,
                    .usage = rule->usage,
                    .billable = rule->is_billable};
  post(end, std::move(failed), command.call);
}

// The truth about a call: always within what it may use.
Usage World::Impl::usage_of(const StartCall& command) const {
  Usage usage;
  usage.prompt = Tokens(30 + 10 * static_cast<std::int64_t>(command.inputs.size()));
  Tokens expected(20);
  const auto steps = released_.find(command.query);
  if (command.kind == CallKind::kPlanner) {
    expected = Tokens(100);
  } else if (steps != released_.end() && index_of(command.subtask) < steps->second.size()) {
    const Tokens given = steps->second[index_of(command.subtask)].subtask.expected;
    if (given > Tokens(0)) expected = given;
  }
  usage.completion = std::min(expected, command.max_tokens);
  return usage;
}

const CallRule* World::Impl::rule_for(const StartCall& command, const std::string& job,
                                      std::uint32_t nth) const {
  const std::string& endpoint = spec_.endpoints[index_of(command.endpoint)].endpoint.name;
  const auto fits = [&](const CallRule& rule) {
    return (rule.endpoint.empty() || rule.endpoint == endpoint) &&
           (rule.job.empty() || rule.job == job) && (!rule.query || *rule.query == command.query) &&
           (rule.nth == 0 || rule.nth == nth);
  };
  const auto found = std::ranges::find_if(spec_.rules, fits);
  return found == spec_.rules.end() ? nullptr : &*found;
}

std::string World::Impl::job_name(const StartCall& command) const {
  if (command.kind == CallKind::kPlanner) return "plan";
  if (command.prompt == Prompt::kWhole) return "whole";
  return released_.at(command.query)[index_of(command.subtask)].label;
}

const QueryScript& World::Impl::script(QueryId id) const {
  const auto found = std::ranges::find(spec_.queries, id, &QueryScript::id);
  HF_ASSERT(found != spec_.queries.end());
  return *found;
}

std::string World::Impl::call_name(CallId id) const {
  const Running& call = calls_.at(id);
  return fmt::format("{}/{} {}", static_cast<std::uint64_t>(call.start.query), call.job,
                     spec_.endpoints[index_of(call.start.endpoint)].endpoint.name);
}

// What a query that is over has spent once a late bill is booked.
std::string World::Impl::bill(CallId id) const {
  const Amounts& spent = scheduler_->record(calls_.at(id).start.query).budget_state.spent;
  return fmt::format("bill {}, spent {}", call_name(id), amounts(spent));
}

void World::Impl::say(std::string_view line) {
  const std::chrono::duration<double, std::milli> time = now_.time_since_epoch();
  trace_ += fmt::format("{:.10g} {}\n", time.count(), line);
}

std::string World::Impl::describe(const Event& event) const {
  const auto number = [](QueryId id) { return static_cast<std::uint64_t>(id); };
  if (const auto* e = std::get_if<QueryArrived>(&event))
    return fmt::format("query {}", number(e->query));
  if (const auto* e = std::get_if<StepParsed>(&event)) {
    return fmt::format("step {}/{}", number(e->query), released_.at(e->query).back().label);
  }
  if (const auto* e = std::get_if<PlanEnded>(&event)) {
    return fmt::format("plan {} {}", number(e->query), word(e->outcome));
  }
  if (const auto* e = std::get_if<CallDone>(&event)) {
    return calls_.at(e->call).is_cancelled ? bill(e->call) : "done " + call_name(e->call);
  }
  if (const auto* e = std::get_if<CallFailed>(&event)) {
    if (calls_.at(e->call).is_cancelled) return bill(e->call);
    return fmt::format("failed {}: {}", call_name(e->call), word(e->failure));
  }
  if (const auto* e = std::get_if<CancelAsked>(&event))
    return fmt::format("cancel {}", number(e->query));
  return "";
}

std::string World::Impl::describe(const Command& command) const {
  if (const auto* c = std::get_if<StartCall>(&command)) {
    std::string line = fmt::format("start {} {} max {}", call_name(c->call), word(c->prompt),
                                   c->max_tokens.count());
    for (const SubtaskId id : c->inputs) {
      line +=
          (id == c->inputs.front() ? " with " : ",") + released_.at(c->query)[index_of(id)].label;
    }
    return line;
  }
  if (const auto* c = std::get_if<CancelCall>(&command)) return "stop " + call_name(c->call);
  if (const auto* c = std::get_if<FinishQuery>(&command)) {
    const RunRecord& record = scheduler_->record(c->query);
    std::string line = fmt::format("finish {} {}, spent {}", static_cast<std::uint64_t>(c->query),
                                   word(c->outcome), amounts(record.budget_state.spent));
    for (const std::string& reason : record.degraded) line += "\n    " + reason;
    if (!record.trouble.empty()) line += "\n    " + record.trouble;
    return line;
  }
  return "";
}

World::World(WorldSpec spec) : impl_(std::make_unique<Impl>(std::move(spec))) {}
World::~World() = default;
std::string World::run() {
  return impl_->run();
}
std::span<const std::string> World::violations() const {
  return impl_->checker().violations();
}
const RunRecord& World::record(QueryId query) const {
  return impl_->scheduler().record(query);
}

}  // namespace hf::sim
