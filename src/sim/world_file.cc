#include "sim/world_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "config/table.h"
#include "sim/world_values.h"

namespace hf::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kFaultNames = {"refused",
                                                               "rejected",
                                                               "rate_limited",
                                                               "rate_limited_told",
                                                               "overloaded",
                                                               "server",
                                                               "connect_timeout",
                                                               "slow",
                                                               "stall",
                                                               "cut",
                                                               "malformed",
                                                               "usage_missing",
                                                               "usage_wrong",
                                                               "duplicate",
                                                               "late",
                                                               "late_bill",
                                                               "crash",
                                                               "clock_jump",
                                                               "cancel",
                                                               "process_crash"};

Result<void> read_faults(const Table& table, FaultChances& chances) {
  HF_CHECK(table.allow({"refused", "rejected", "rate_limited", "rate_limited_told", "overloaded",
                        "server", "connect_timeout", "slow", "stall", "cut", "malformed",
                        "usage_missing", "usage_wrong", "duplicate", "late", "late_bill"}));
  for (std::size_t i = 0; i < kCallFaults; ++i) {
    HF_CHECK(set_share(chances[i], table, kFaultNames[i]));
  }
  if (std::accumulate(chances.begin(), chances.begin() + kEndingFaults, 0.0) > 1) {
    return table.error("the chances of the faults that end a call add up to more than 1.");
  }
  return {};
}

Result<Price> read_price(const Table& table) {
  HF_CHECK(table.allow({"prompt", "cached", "completion"}));
  double prompt = 0;
  double completion = 0;
  HF_CHECK(set_number(prompt, table, "prompt", 0, 1e3));
  HF_CHECK(set_number(completion, table, "completion", 0, 1e3));
  double cached = prompt;
  HF_CHECK(set_number(cached, table, "cached", 0, 1e3));
  if (cached > prompt) return table.bad("cached", "at most the price of 'prompt'");
  const auto pico = [](double per_million) { return PicoUsd(std::llround(per_million * 1e6)); };
  return Price{.prompt = pico(prompt), .cached = pico(cached), .completion = pico(completion)};
}

Result<void> read_speed(const Table& table, EndpointModel& model) {
  HF_TRY(const auto recorded, table.text("recorded"));
  if (recorded) {
    if (table.has("first_token") || table.has("inter_token")) {
      return table.bad("recorded", "alone: it says both first_token and inter_token");
    }
    model.recorded = recorded_latencies(*recorded);
    if (model.recorded.empty()) {
      return table.bad("recorded", fmt::format("one of {}", fmt::join(recorded_providers(), ", ")));
    }
    return {};
  }
  if (!table.has("first_token") || !table.has("inter_token")) {
    return table.error("an endpoint needs 'first_token' and 'inter_token', or 'recorded'.");
  }
  HF_CHECK(set(model.first_token, table, "first_token", kTime));
  return set(model.inter_token, table, "inter_token", kTime);
}

// Returns how often it happens.
Result<std::optional<Draw>> read_crash(const Table& table, Draw& down) {
  HF_CHECK(table.allow({"every", "down"}));
  if (!table.has("every") || !table.has("down"))
    return table.error("a crash needs 'every' and 'down'.");
  HF_CHECK(set(down, table, "down", kTime));
  return read_draw(table, "every", kTime);
}

Result<void> read_trouble(const Table& table, EndpointModel& model) {
  HF_TRY(const auto timeouts, table.table("timeouts"));
  if (timeouts) {
    HF_CHECK(timeouts->allow({"connect", "first_token", "gap", "total"}));
    HF_CHECK(set_time(model.connect_timeout, *timeouts, "connect"));
    HF_CHECK(set_time(model.first_token_timeout, *timeouts, "first_token"));
    HF_CHECK(set_time(model.gap_timeout, *timeouts, "gap"));
    HF_CHECK(set_time(model.total_timeout, *timeouts, "total"));
  }
  HF_TRY(const auto faults, table.table("faults"));
  if (faults) HF_CHECK(read_faults(*faults, model.faults));
  HF_TRY(const auto crash, table.table("crash"));
  if (crash) {
    HF_TRY(model.crash_every, read_crash(*crash, model.crash_down));
  }
  return {};
}

Result<EndpointModel> read_endpoint(const Table& table, const FaultChances& faults) {
  HF_CHECK(table.allow({"name", "tier", "slots", "price", "first_token", "inter_token", "recorded",
                        "requests_per_minute", "right", "timeouts", "faults", "crash"}));
  EndpointModel model;
  model.faults = faults;
  HF_TRY(const auto name, table.text("name"));
  if (!name || name->empty()) return table.error("an endpoint needs a 'name'.");
  model.endpoint.name = *name;
  HF_TRY(const auto tier, table.text("tier"));
  if (!tier || (*tier != "edge" && *tier != "cloud"))
    return table.error("an endpoint needs a 'tier': \"edge\" or \"cloud\".");
  model.endpoint.tier = *tier == "edge" ? Tier::kEdge : Tier::kCloud;
  model.slots = Draw::constant(1);
  if (!table.is_table("slots")) HF_CHECK(table.number("slots", 1, kCount.most));
  HF_CHECK(set(model.slots, table, "slots", kCount));
  HF_TRY(const auto price, table.table("price"));
  if (price) {
    HF_TRY(model.endpoint.price, read_price(*price));
  }
  HF_CHECK(read_speed(table, model));
  HF_CHECK(set_whole(model.requests_per_minute, table, "requests_per_minute", 1, 1'000'000));
  HF_CHECK(set_share(model.right, table, "right"));
  HF_CHECK(read_trouble(table, model));
  return model;
}

Result<void> read_endpoints(const Table& root, WorldFile& world) {
  FaultChances faults{};
  HF_TRY(const auto everywhere, root.table("faults"));
  if (everywhere) HF_CHECK(read_faults(*everywhere, faults));
  HF_TRY(const auto tables, root.tables("endpoint"));
  if (tables.empty()) return root.error_at("endpoint", "at least one [[endpoint]] is needed.");
  for (const Table& table : tables) {
    HF_TRY(EndpointModel model, read_endpoint(table, faults));
    for (const EndpointModel& other : world.endpoints) {
      if (other.endpoint.name == model.endpoint.name)
        return table.error(fmt::format("two endpoints are named '{}'.", model.endpoint.name));
    }
    world.endpoints.push_back(std::move(model));
  }
  if (world.endpoints.size() > 64) return root.error("at most 64 endpoints are supported.");
  return {};
}

Result<void> read_planner(const Table& root, WorldFile& world) {
  HF_TRY(const auto table, root.table("planner"));
  if (!table) return {};
  HF_CHECK(table->allow(
      {"endpoint", "steps_per_second", "lingers", "useless", "truncated", "given", "whole"}));
  PlannerModel& planner = world.planner;
  HF_TRY(const auto name, table->text("endpoint"));
  if (name) {
    const auto found = std::ranges::find(world.endpoints, *name,
                                         [](const EndpointModel& m) { return m.endpoint.name; });
    if (found == world.endpoints.end())
      return table->error_at("endpoint", fmt::format("there is no endpoint named '{}'.", *name));
    world.options.planner = static_cast<EndpointId>(found - world.endpoints.begin());
  }
  HF_CHECK(set(planner.steps_per_second, *table, "steps_per_second", kCount));
  HF_CHECK(set(planner.lingers, *table, "lingers", kTime));
  HF_CHECK(set_share(planner.useless, *table, "useless"));
  HF_CHECK(set_share(planner.truncated, *table, "truncated"));
  if (planner.useless + planner.truncated > 1)
    return table->error("'useless' and 'truncated' add up to more than 1.");
  HF_CHECK(set_share(planner.given, *table, "given"));
  return set_share(planner.whole, *table, "whole");
}

// "d<a,b": step d relies on a and b, which stand before it.
Result<std::vector<std::vector<SubtaskId>>> read_plan(const Table& table) {
  HF_CHECK(table.allow({"steps"}));
  HF_TRY(const auto steps, table.texts("steps"));
  if (steps.empty() || steps.size() > 64) return table.error("a plan needs 1 to 64 'steps'.");
  std::vector<std::string> names;
  std::vector<std::vector<SubtaskId>> plan;
  for (const std::string& step : steps) {
    const std::size_t end = std::min(step.find('<'), step.size());
    std::vector<SubtaskId>& inputs = plan.emplace_back();
    for (std::size_t at = end + 1; at <= step.size() && end < step.size();) {
      const std::size_t stop = std::min(step.find(',', at), step.size());
      const auto found = std::ranges::find(names, step.substr(at, stop - at));
      if (found == names.end())
        return table.error_at("steps",
                              fmt::format("'{}' relies on a step that is not before it.", step));
      inputs.push_back(static_cast<SubtaskId>(found - names.begin()));
      at = stop + 1;
    }
    names.push_back(step.substr(0, end));
  }
  return plan;
}

Result<void> read_graphs(const Table& root, GraphModel& graphs) {
  HF_TRY(const auto plans, root.tables("plan"));
  for (const Table& plan : plans) {
    HF_TRY(auto given, read_plan(plan));
    graphs.given.push_back(std::move(given));
  }
  if (!graphs.given.empty()) graphs.kind = GraphModel::Kind::kGiven;
  HF_TRY(const auto table, root.table("graphs"));
  if (!table) return {};
  HF_CHECK(table->allow({"kind", "steps", "edges", "tokens", "answer_tokens", "length",
                         "task_bytes", "question_bytes"}));
  HF_TRY(const auto kind, table->text("kind"));
  if (kind && *kind != "random" && *kind != "given" && *kind != "asynchow")
    return table->bad("kind", "\"random\", \"given\" or \"asynchow\"");
  if (kind && (*kind == "given") == graphs.given.empty())
    return table->bad("kind", "\"given\" if, and only if, there are [[plan]] tables");
  if (kind == "asynchow") {
    graphs.kind = GraphModel::Kind::kAsyncHow;
    graphs.recorded = recorded_graphs();
  }
  HF_CHECK(set(graphs.steps, *table, "steps", {.most = 64}));
  HF_CHECK(set_share(graphs.edges, *table, "edges"));
  HF_CHECK(set(graphs.tokens, *table, "tokens", kCount));
  HF_CHECK(set(graphs.answer_tokens, *table, "answer_tokens", kCount));
  HF_CHECK(set(graphs.length, *table, "length", kCount));
  HF_CHECK(set(graphs.task_bytes, *table, "task_bytes", kCount));
  return set(graphs.question_bytes, *table, "question_bytes", kCount);
}

Result<void> read_arrivals(const Table& root, ArrivalModel& arrivals) {
  HF_TRY(const auto table, root.table("arrivals"));
  if (!table) return root.error("a world needs [arrivals].");
  HF_CHECK(table->allow({"kind", "queries", "users", "think", "per_second", "speed"}));
  HF_TRY(const auto kind, table->text("kind"));
  if (kind == "closed") {
    arrivals.kind = ArrivalModel::Kind::kClosed;
  } else if (kind == "azure-code" || kind == "azure-conv") {
    arrivals.kind = ArrivalModel::Kind::kRecorded;
    arrivals.recorded = recorded_arrivals(*kind);
  } else if (kind != "poisson") {
    return table->bad("kind", "\"closed\", \"poisson\", \"azure-code\" or \"azure-conv\"");
  }
  const auto only_for = [&](std::string_view key, ArrivalModel::Kind wanted) -> Result<void> {
    if (!table->has(key) || arrivals.kind == wanted) return {};
    return table->error_at(key, fmt::format("'arrivals.{}' has no meaning here.", key));
  };
  HF_CHECK(only_for("users", ArrivalModel::Kind::kClosed));
  HF_CHECK(only_for("think", ArrivalModel::Kind::kClosed));
  HF_CHECK(only_for("per_second", ArrivalModel::Kind::kPoisson));
  HF_CHECK(only_for("speed", ArrivalModel::Kind::kRecorded));
  HF_CHECK(set_whole(arrivals.queries, *table, "queries", 1, 20'000));
  HF_CHECK(set_whole(arrivals.users, *table, "users", 1, 20'000));
  if (std::uint64_t{arrivals.users} * arrivals.queries > 20'000)
    return table->bad("users", "so many that all their queries are at most 20000");
  HF_CHECK(set(arrivals.think, *table, "think", kTime));
  HF_CHECK(set_number(arrivals.per_second, *table, "per_second", 1e-3, 1e6));
  return set_number(arrivals.speed, *table, "speed", 1e-3, 1e6);
}

Result<void> read_accounts(const Table& root, AccountModel& accounts) {
  HF_TRY(const auto table, root.table("accounts"));
  if (!table) return {};
  HF_CHECK(table->allow({"count", "share", "usd", "cloud_tokens"}));
  HF_CHECK(set_whole(accounts.count, *table, "count", 1, 1'000));
  HF_CHECK(set_share(accounts.share, *table, "share"));
  HF_TRY(accounts.usd, read_draw(*table, "usd", kUsd));
  HF_TRY(accounts.cloud_tokens, read_draw(*table, "cloud_tokens", kManyTokens));
  if (accounts.count == 0) return table->error("accounts need a 'count'.");
  return {};
}

Result<void> read_budget(const Table& root, BudgetModel& budget) {
  HF_TRY(const auto table, root.table("budget"));
  if (!table) return {};
  HF_CHECK(table->allow({"usd", "cloud_tokens", "deadline", "share", "process"}));
  HF_TRY(budget.usd, read_draw(*table, "usd", kUsd));
  HF_TRY(budget.cloud_tokens, read_draw(*table, "cloud_tokens", kManyTokens));
  HF_TRY(budget.deadline, read_draw(*table, "deadline", kTime));
  HF_CHECK(set_share(budget.share, *table, "share"));
  HF_TRY(const auto process, table->table("process"));
  if (!process) return {};
  HF_CHECK(process->allow({"usd", "cloud_tokens", "lease", "lease_delay"}));
  HF_TRY(budget.process_usd, read_draw(*process, "usd", kUsd));
  HF_TRY(budget.process_cloud_tokens, read_draw(*process, "cloud_tokens", kManyTokens));
  HF_CHECK(set_share(budget.lease, *process, "lease"));
  return set(budget.lease_delay, *process, "lease_delay", kTime);
}

Result<void> read_ledger(const Table& root, WorldFile& world) {
  HF_TRY(const auto table, root.table("ledger"));
  if (!table) return {};
  HF_CHECK(table->allow({"share", "above", "write", "crash", "reconcile", "again", "again_after"}));
  if (!world.budget.process_usd && !world.budget.process_cloud_tokens) {
    return table->error("a ledger needs a limit in 'budget.process'.");
  }
  LedgerModel& ledger = world.ledger;
  ledger.share = 1;
  HF_CHECK(set_share(ledger.share, *table, "share"));
  HF_TRY(ledger.above, read_draw(*table, "above", kFactor));
  HF_CHECK(set(ledger.write, *table, "write", kTime));
  HF_CHECK(set(ledger.reconcile, *table, "reconcile", kTime));
  HF_CHECK(set_share(ledger.again, *table, "again"));
  HF_CHECK(set(ledger.again_after, *table, "again_after", kTime));
  HF_TRY(const auto crash, table->table("crash"));
  if (!crash) return {};
  HF_TRY(ledger.crash_every, read_crash(*crash, ledger.crash_down));
  return {};
}

Result<void> read_route(const Table& root, WorldFile& world) {
  HF_TRY(const auto table, root.table("route"));
  if (table) {
    HF_CHECK(table->allow(
        {"policy", "cloud_share", "threshold", "difficulty", "second_price", "explore"}));
    HF_TRY(world.policies, table->texts("policy"));
    if (table->has("policy") && world.policies.empty()) {
      return table->bad("policy", "one policy or more");
    }
    for (const std::string& policy : world.policies) {
      if (std::ranges::find(policy_names(), policy) != policy_names().end()) continue;
      return table->error_at("policy", fmt::format("unknown policy '{}'; known: {}.", policy,
                                                   fmt::join(policy_names(), ", ")));
    }
    PolicyOptions& options = world.policy_options;
    HF_CHECK(set_share(options.cloud_share, *table, "cloud_share"));
    HF_CHECK(set_number(options.threshold, *table, "threshold", -1, 1));
    HF_CHECK(set_whole(options.difficulty, *table, "difficulty", 1, 9));
    HF_CHECK(set_number(options.spar.second_price, *table, "second_price", 0, 1000));
    HF_CHECK(set_number(options.spar.explore, *table, "explore", 0, 0.5));
  }
  if (world.policies.empty()) world.policies.emplace_back("hybridflow");
  return {};
}

Result<void> read_options(const Table& root, Scheduler::Options& options) {
  HF_TRY(const auto table, root.table("options"));
  if (!table) return {};
  HF_CHECK(table->allow({"attempts", "retry_base", "retry_cap", "breaker_failures",
                         "breaker_cool_down", "plan_tokens", "subtask_tokens", "answer_tokens",
                         "queries", "fallback", "hedge", "hedge_floor"}));
  HF_CHECK(set_whole(options.retry.attempts_max, *table, "attempts", 1, 10));
  HF_CHECK(set_time(options.retry.base, *table, "retry_base"));
  HF_CHECK(set_time(options.retry.cap, *table, "retry_cap"));
  HF_CHECK(set_whole(options.breaker.failures_max, *table, "breaker_failures", 1, 1000));
  HF_CHECK(set_time(options.breaker.cool_down, *table, "breaker_cool_down"));
  HF_CHECK(set_whole(options.plan_max_tokens, *table, "plan_tokens", 64, 65'536));
  HF_CHECK(set_whole(options.subtask_max_tokens, *table, "subtask_tokens", 16, 65'536));
  HF_CHECK(set_whole(options.sink_max_tokens, *table, "answer_tokens", 16, 65'536));
  HF_CHECK(set_whole(options.queries_max, *table, "queries", 1, 1'000'000));
  HF_CHECK(set_time(options.hedge_floor, *table, "hedge_floor"));
  HF_TRY(const auto hedge, table->flag("hedge"));
  options.hedge = hedge.value_or(options.hedge);
  HF_TRY(const auto fallback, table->flag("fallback"));
  if (fallback) options.fallback = *fallback ? Fallback::kOtherTier : Fallback::kNone;
  return {};
}

Result<void> read_happenings(const Table& root, WorldFile& world) {
  HF_TRY(const auto outcomes, root.table("outcomes"));
  if (outcomes) {
    HF_CHECK(outcomes->allow({"whole", "spoiled", "local_only"}));
    HF_CHECK(set_share(world.whole_right, *outcomes, "whole"));
    HF_CHECK(set_share(world.spoiled_right, *outcomes, "spoiled"));
    HF_CHECK(set_share(world.local_only, *outcomes, "local_only"));
  }
  HF_TRY(const auto cancel, root.table("cancel"));
  if (cancel) {
    HF_CHECK(cancel->allow({"share", "after"}));
    HF_CHECK(set_share(world.cancel, *cancel, "share"));
    HF_CHECK(set(world.cancel_after, *cancel, "after", kTime));
  }
  HF_TRY(const auto clock, root.table("clock"));
  if (clock) {
    HF_CHECK(clock->allow({"every", "by"}));
    if (!clock->has("every") || !clock->has("by"))
      return clock->error("a clock that jumps needs 'every' and 'by'.");
    HF_TRY(world.jump_every, read_draw(*clock, "every", kTime));
    HF_CHECK(set(world.jump_by, *clock, "by", kTime));
  }
  HF_TRY(const auto late, root.table("late"));
  if (!late) return {};
  HF_CHECK(late->allow({"slow_by", "bill"}));
  HF_CHECK(set(world.slow_by, *late, "slow_by", kTime));
  return set(world.bill_delay, *late, "bill", kTime);
}

}  // namespace

std::string_view name_of(Fault fault) {
  return kFaultNames[static_cast<std::size_t>(fault)];
}

Result<WorldFile> read_world(std::string_view toml, std::string_view file) {
  HF_TRY(const Table root, Table::parse(toml, file));
  HF_CHECK(root.allow({"endpoint", "faults", "planner", "plan", "graphs", "arrivals", "budget",
                       "accounts", "ledger", "route", "options", "outcomes", "cancel", "clock",
                       "late"}));
  WorldFile world;
  HF_CHECK(read_endpoints(root, world));
  HF_CHECK(read_planner(root, world));
  HF_CHECK(read_graphs(root, world.graphs));
  HF_CHECK(read_arrivals(root, world.arrivals));
  HF_CHECK(read_budget(root, world.budget));
  HF_CHECK(read_accounts(root, world.accounts));
  HF_CHECK(read_ledger(root, world));
  HF_CHECK(read_route(root, world));
  HF_CHECK(read_options(root, world.options));
  HF_CHECK(read_happenings(root, world));
  return world;
}

}  // namespace hf::sim
