// What happened in a world, in words.
#include <fmt/format.h>

#include "sim/scripted.h"
#include "sim/words.h"
#include "sim/world_impl.h"

namespace hf::sim {
namespace {

std::string amounts(const Amounts& amounts) {
  return fmt::format("${:.6f} and {} cloud tokens",
                     static_cast<double>(amounts.usd.count()) / static_cast<double>(kPicoPerUsd),
                     amounts.cloud_tokens.count());
}

std::uint64_t number(QueryId id) {
  return static_cast<std::uint64_t>(id);
}

}  // namespace

void World::Impl::tell(const Event& event, bool has_commands) {
  const std::string line = describe(event);
  if (!line.empty() || has_commands) say(line.empty() ? "timer" : line);
}

void World::Impl::tell(const Command& command) {
  const std::string words = describe(command);
  if (!words.empty()) say("  " + words);
}

void World::Impl::say(std::string_view line) {
  const std::chrono::duration<double, std::milli> time = now_.time_since_epoch();
  trace_ += fmt::format("{:.10g} {}\n", time.count(), line);
}

std::string World::Impl::call_name(CallId id) const {
  const Call& call = calls_[index_of(id)];
  return fmt::format("{}/{} {}", number(call.start.query), job_of(call.start, call.step),
                     spec_.endpoints[index_of(call.start.endpoint)].endpoint.name);
}

// What a query that is over has spent once a late bill is booked.
std::string World::Impl::bill(CallId id) const {
  const QueryId query = calls_[index_of(id)].start.query;
  return fmt::format("bill {}, spent {}", call_name(id),
                     amounts(scheduler_->record(query).budget_state.spent));
}

std::string World::Impl::describe(const Event& event) const {
  if (const auto* e = std::get_if<AccountOpened>(&event)) {
    const Amounts limits{e->limits.usd.value_or(PicoUsd(0)),
                         e->limits.cloud_tokens.value_or(Tokens(0))};
    return fmt::format("{} opened: {}", e->name, amounts(limits));
  }
  if (const auto* e = std::get_if<QueryArrived>(&event)) {
    const bool has_account = e->account != AccountId{};
    return fmt::format("query {}{}", number(e->query),
                       has_account ? fmt::format(" of account {}", index_of(e->account)) : "");
  }
  if (const auto* e = std::get_if<StepParsed>(&event)) {
    const Query& query = queries_[place_of(e->query)];
    return fmt::format("step {}/{}", number(e->query), query.plan->steps[index_of(e->id)].label);
  }
  if (const auto* e = std::get_if<PlanEnded>(&event)) {
    return fmt::format("plan {} {}", number(e->query), word(e->outcome));
  }
  if (const auto* e = std::get_if<CallDone>(&event)) {
    const Stage stage = calls_[index_of(e->call)].stage;
    if (stage == Stage::kCancelled) return bill(e->call);
    return (stage == Stage::kOver ? "again done " : "done ") + call_name(e->call);
  }
  if (const auto* e = std::get_if<CallFailed>(&event)) {
    const Stage stage = calls_[index_of(e->call)].stage;
    if (stage == Stage::kCancelled) return bill(e->call);
    return fmt::format("{}failed {}: {}", stage == Stage::kOver ? "again " : "", call_name(e->call),
                       word(e->failure));
  }
  if (const auto* e = std::get_if<CancelAsked>(&event))
    return fmt::format("cancel {}", number(e->query));
  if (const auto* e = std::get_if<BudgetChanged>(&event)) {
    const Amounts limits{e->limits.usd.value_or(PicoUsd(0)),
                         e->limits.cloud_tokens.value_or(Tokens(0))};
    return fmt::format("budget {}{}", amounts(limits), e->refusal ? ", no more" : "");
  }
  return "";
}

std::string World::Impl::describe(const Command& command) const {
  if (const auto* c = std::get_if<StartCall>(&command)) {
    std::string line = fmt::format(
        "{} {} {} max {}{}", c->kind == CallKind::kHedge ? "hedge" : "start", call_name(c->call),
        word(c->prompt), c->max_tokens.count(), c->is_attempt ? " attempt" : "");
    for (const SubtaskId id : c->inputs) {
      line += (id == c->inputs.front() ? " with " : ",") +
              queries_[place_of(c->query)].plan->steps[index_of(id)].label;
    }
    return line;
  }
  if (const auto* c = std::get_if<CancelCall>(&command)) return "stop " + call_name(c->call);
  if (const auto* c = std::get_if<WantBudget>(&command)) return "want " + amounts(c->needed);
  if (const auto* c = std::get_if<FinishQuery>(&command)) {
    const RunRecord& record = scheduler_->record(c->query);
    std::string line = fmt::format("finish {} {}, spent {}", number(c->query), word(c->outcome),
                                   amounts(record.budget_state.spent));
    for (const std::string& reason : record.degraded) line += "\n    " + reason;
    if (!record.trouble.empty()) line += "\n    " + record.trouble;
    return line;
  }
  return "";
}

}  // namespace hf::sim
