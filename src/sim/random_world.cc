#include "sim/random_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "graph/graph.h"

namespace hf::sim {
namespace {

using std::chrono::milliseconds;

class RandomWorld {
 public:
  explicit RandomWorld(std::uint64_t seed) : rng_(seed) {}

  WorldSpec world() {
    WorldSpec spec;
    spec.policy = policy_names()[below(policy_names().size())];
    endpoints(spec);
    options(spec);
    if (chance(30)) {
      for (std::uint32_t i = number(1, 3); i > 0; --i) {
        const bool is_below = !spec.accounts.empty() && chance(50);
        AccountScript& account = spec.accounts.emplace_back();
        account.limits = budget(60, 0);
        if (is_below) account.parent = AccountId(number(1, spec.accounts.size() - 1));
      }
      accounts_ = spec.accounts.size();
    }
    const std::uint64_t queries = 1 + below(6);
    for (std::uint64_t i = 1; i <= queries; ++i) spec.queries.push_back(query(i));
    const std::uint64_t rules = below(9);
    for (std::uint64_t i = 0; i < rules; ++i) spec.rules.push_back(rule(spec));
    if (chance(50)) spec.bill_delay = ms(0, 300);
    return spec;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  std::uint32_t number(std::uint64_t low, std::uint64_t high) {
    return static_cast<std::uint32_t>(low + below(high - low + 1));
  }
  Duration ms(std::uint64_t low, std::uint64_t high) { return milliseconds(number(low, high)); }

  void endpoints(WorldSpec& spec) {
    const std::uint64_t count = 1 + below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      EndpointScript script;
      const bool is_cloud = chance(50);
      script.endpoint.name = fmt::format("{}{}", is_cloud ? "cloud" : "edge", i);
      script.endpoint.tier = is_cloud ? Tier::kCloud : Tier::kEdge;
      script.endpoint.max_in_flight = number(1, 4);
      if (is_cloud) {
        script.endpoint.price = {PicoUsd(number(0, 3'000'000)), PicoUsd(number(0, 500'000)),
                                 PicoUsd(number(0, 9'000'000))};
        script.endpoint.price.cached =
            std::min(script.endpoint.price.cached, script.endpoint.price.prompt);
      }
      script.first_token = ms(0, 60);
      script.per_token = std::chrono::microseconds(number(0, 4000));
      spec.endpoints.push_back(std::move(script));
    }
  }

  void options(WorldSpec& spec) {
    Scheduler::Options& options = spec.options;
    options.planner = static_cast<EndpointId>(below(spec.endpoints.size()));
    options.retry = {number(1, 3), ms(1, 100), ms(100, 400)};
    options.breaker = {number(1, 5), ms(1, 500)};
    options.queries_max = chance(20) ? number(1, 3) : 1024;
    options.fallback = chance(20) ? Fallback::kNone : Fallback::kOtherTier;
    options.process = budget(20, 0);
  }

  Budget budget(std::uint64_t percent, std::uint64_t deadline_percent) {
    Budget budget;
    if (chance(percent)) budget.usd = PicoUsd(std::int64_t{number(0, 60)} * 1'000'000'000);
    if (chance(percent)) budget.cloud_tokens = Tokens(number(0, 12'000));
    if (chance(deadline_percent)) budget.deadline = ms(chance(5) ? 0 : 1, chance(50) ? 2000 : 200);
    return budget;
  }

  QueryScript query(std::uint64_t id) {
    QueryScript script;
    script.id = static_cast<QueryId>(id);
    script.at = ms(0, 200);
    script.budget = budget(50, 50);
    script.plan = chance(85);
    script.plan_given = script.plan && chance(15);
    script.question_bytes = number(0, 3000);
    script.seed = rng_.next();
    if (accounts_ > 0) script.account = AccountId(number(0, accounts_));
    const std::uint64_t plans = 1 + below(2);
    for (std::uint64_t i = 0; i < plans; ++i) script.plans.push_back(plan());
    if (chance(15)) script.cancel_at = script.at + ms(0, 400);
    return script;
  }

  PlanScript plan() {
    PlanScript plan;
    Duration at = ms(0, 30);
    if (chance(15)) {
      plan.outcome = PlanOutcome::kUseless;
      plan.end = at;
      return plan;
    }
    Graph graph;
    const std::uint64_t size = 1 + below(7);
    for (std::uint64_t i = 0; i < size; ++i) {
      StepScript step;
      step.at = at;
      step.label = fmt::format("s{}", i);
      step.task_bytes = number(0, 300);
      step.difficulty = static_cast<std::uint8_t>(number(0, 9));
      step.subtask.expected = Tokens(chance(30) ? 0 : number(1, 300));
      if (i == size - 1 && chance(80)) step.subtask.role = Role::kGenerate;
      for (std::uint64_t input = 0; input < i; ++input) {
        if (chance(i == size - 1 ? 60 : 35)) {
          step.subtask.relies_on.push_back(static_cast<SubtaskId>(input));
        }
      }
      graph.add(step.subtask);
      plan.steps.push_back(std::move(step));
      at += ms(0, 40);
    }
    plan.end = at;
    plan.call_end = chance(70) ? at : at + ms(0, 200);
    plan.outcome = chance(90) ? PlanOutcome::kComplete : PlanOutcome::kTruncated;
    plan.sink = static_cast<SubtaskId>(size - 1);
    plan.pruned = graph.not_reaching(*plan.sink);
    return plan;
  }

  CallRule rule(const WorldSpec& spec) {
    CallRule rule;
    if (chance(60)) rule.endpoint = spec.endpoints[below(spec.endpoints.size())].endpoint.name;
    const std::uint64_t job = below(10);
    if (job == 0) rule.job = "plan";
    if (job == 1) rule.job = "whole";
    if (job > 1 && job < 8) rule.job = fmt::format("s{}", below(7));
    if (chance(30)) rule.query = static_cast<QueryId>(1 + below(6));
    rule.nth = number(0, 2);
    if (chance(75)) rule.failure = static_cast<Failure>(number(1, kFailures - 1));
    if (chance(60)) rule.after = ms(0, chance(10) ? 5000 : 150);
    if (chance(20)) rule.retry_after = ms(0, 1000);
    rule.is_billable = chance(50);
    rule.has_usage = chance(70);
    if (chance(50)) rule.logprob = -0.01 * number(0, 150);
    if (chance(20)) {
      const std::uint32_t most = chance(20) ? 20'000 : 60;
      rule.usage.emplace().prompt = Tokens(number(0, most));
      rule.usage->completion = Tokens(number(0, most));
      rule.usage->cached =
          Tokens(number(0, static_cast<std::uint64_t>(rule.usage->prompt.count())));
    }
    return rule;
  }

  Rng rng_;
  std::uint64_t accounts_ = 0;
};

}  // namespace

WorldSpec random_world(std::uint64_t seed) {
  return RandomWorld(mix(seed)).world();
}

}  // namespace hf::sim
