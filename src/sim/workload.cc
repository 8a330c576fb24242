#include "sim/workload.h"

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "graph/graph.h"
#include "sim/sampled.h"

namespace hf::sim {
namespace {

// Purposes of random streams.
constexpr std::uint64_t kWorld = 11;
constexpr std::uint64_t kArrivals = 12;
constexpr std::uint64_t kQueries = 13;
constexpr std::uint64_t kLedger = 14;
constexpr std::uint64_t kAccounts = 15;

// A plan that is not what it should be is asked for once more; a third call never comes.
constexpr int kPlans = 2;

constexpr std::uint32_t kStepsMax = 64;

std::uint32_t narrow(std::int64_t value) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, 1'000'000));
}

TaskFeatures features_of(Rng& rng, std::uint32_t bytes) {
  TaskFeatures features;
  features.words = static_cast<std::uint16_t>(std::min(bytes / 6, 65'535U));
  features.numbers = static_cast<std::uint16_t>(rng.below(4));
  features.operators = static_cast<std::uint16_t>(rng.below(3));
  features.code = static_cast<std::uint16_t>(rng.below(2));
  return features;
}

class Workload {
 public:
  Workload(const WorldFile& file, std::uint64_t seed) : file_(file), seed_(seed) {}

  WorldSpec world(std::string_view policy) {
    Rng rng(mix(seed_ ^ mix(kWorld)));
    WorldSpec spec;
    spec.options = file_.options;
    const std::string& drawn = file_.policies[rng.below(file_.policies.size())];
    spec.policy = policy.empty() ? drawn : std::string(policy);
    spec.policy_options = file_.policy_options;
    for (const EndpointModel& model : file_.endpoints) {
      EndpointScript script{.endpoint = model.endpoint};
      script.endpoint.max_in_flight = std::max(narrow(model.slots.count(rng)), 1U);
      spec.endpoints.push_back(std::move(script));
    }
    process_budget(spec, rng);
    accounts(spec);
    arrivals(spec);
    spec.behaviour = std::make_shared<Sampled>(file_, seed_);
    spec.events_max = 100'000 + 10'000 * spec.queries.size();
    return spec;
  }

 private:
  // Streams of their own: a world without accounts stays what it was.
  void accounts(WorldSpec& spec) {
    Rng rng(mix(seed_ ^ mix(kAccounts)));
    const AccountModel& model = file_.accounts;
    for (std::uint32_t i = 1; i <= model.count; ++i) {
      AccountScript& account = spec.accounts.emplace_back();
      if (model.usd) account.limits.usd = PicoUsd(model.usd->count(rng));
      if (model.cloud_tokens) account.limits.cloud_tokens = Tokens(model.cloud_tokens->count(rng));
      if (i % 2 == 0) account.parent = AccountId(i - 1);
    }
  }

  [[nodiscard]] AccountId account_of(std::uint64_t query) const {
    Rng rng(mix(mix(seed_ ^ mix(kAccounts)) + query));
    const AccountModel& model = file_.accounts;
    if (model.count == 0 || rng.unit() >= model.share) return {};
    return AccountId(static_cast<std::uint32_t>(1 + rng.below(model.count)));
  }

  void process_budget(WorldSpec& spec, Rng& rng) {
    const BudgetModel& model = file_.budget;
    Budget total;
    if (model.process_usd) total.usd = PicoUsd(model.process_usd->count(rng));
    if (model.process_cloud_tokens) {
      total.cloud_tokens = Tokens(model.process_cloud_tokens->count(rng));
    }
    spec.options.process = total;
    if (make_ledger(spec, total)) return;
    if (model.lease <= 0) return;
    const auto part = [&](std::int64_t count) {
      return static_cast<std::int64_t>(static_cast<double>(count) * model.lease);
    };
    spec.lease =
        LeaseScript{.total = total,
                    .slice = {PicoUsd(part(total.usd.value_or(PicoUsd(0)).count())),
                              Tokens(part(total.cloud_tokens.value_or(Tokens(0)).count()))},
                    .delay = model.lease_delay.duration(rng)};
  }

  // Whether this run has one. Draws of its own: those without are as if there were none.
  bool make_ledger(WorldSpec& spec, const Budget& total) {
    const LedgerModel& model = file_.ledger;
    Rng rng(mix(seed_ ^ mix(kLedger)));
    if (rng.unit() >= model.share) return false;
    LedgerScript& ledger = spec.ledger.emplace();
    ledger.scopes.push_back({.name = "process", .parent = {}, .limits = total});
    if (!model.above) return true;
    const double factor = model.above->number(rng);
    const auto scaled = [&](auto limit) {
      return decltype(limit)(
          static_cast<std::int64_t>(static_cast<double>(limit.count()) * factor));
    };
    Budget above;
    if (total.usd) above.usd = scaled(*total.usd);
    if (total.cloud_tokens) above.cloud_tokens = scaled(*total.cloud_tokens);
    ledger.scopes.back().parent = "account";
    ledger.scopes.insert(ledger.scopes.begin(), {.name = "account", .parent = {}, .limits = above});
    return true;
  }

  void arrivals(WorldSpec& spec) {
    const ArrivalModel& model = file_.arrivals;
    Rng rng(mix(seed_ ^ mix(kArrivals)));
    if (model.kind == ArrivalModel::Kind::kClosed) {
      for (std::uint32_t user = 0; user < model.users; ++user) {
        for (std::uint32_t i = 0; i < model.queries; ++i) {
          QueryScript query = make_query(spec.queries.size() + 1, model.think.duration(rng));
          if (i > 0) query.after = spec.queries.back().id;
          spec.queries.push_back(std::move(query));
        }
      }
      return;
    }
    Duration at{};
    std::size_t place = model.recorded.empty() ? 0 : rng.below(model.recorded.size());
    const Draw gap = Draw::exponential(1e9 / model.per_second);
    for (std::uint32_t i = 0; i < model.queries; ++i) {
      if (model.recorded.empty()) {
        at += gap.duration(rng);
        spec.queries.push_back(make_query(spec.queries.size() + 1, at));
        continue;
      }
      const RecordedArrival& arrival = model.recorded[place];
      place = (place + 1) % model.recorded.size();
      if (i > 0) {
        at += Duration(
            static_cast<std::int64_t>(static_cast<double>(arrival.gap.count()) / model.speed));
      }
      answer_tokens_ = arrival.generated_tokens;
      question_bytes_ = 4 * arrival.context_tokens;
      spec.queries.push_back(make_query(spec.queries.size() + 1, at));
    }
  }

  QueryScript make_query(std::uint64_t id, Duration at) {
    Rng rng(mix(mix(seed_ ^ mix(kQueries)) + id));
    const GraphModel& graphs = file_.graphs;
    QueryScript query;
    query.id = static_cast<QueryId>(id);
    query.at = at;
    query.budget = budget(rng);
    query.seed = rng.next();
    query.account = account_of(id);
    query.local_only = rng.unit() < file_.local_only;
    query.question_bytes = narrow(graphs.question_bytes.count(rng));
    query.expected = Tokens(graphs.answer_tokens.count(rng));
    if (question_bytes_ > 0) query.question_bytes = question_bytes_;
    if (answer_tokens_ > 0) query.expected = Tokens(answer_tokens_);
    query.features = features_of(rng, query.question_bytes);
    query.plan = rng.unit() >= file_.planner.whole;
    query.plan_given = rng.unit() < file_.planner.given && query.plan;
    if (query.plan) {
      for (int i = 0; i < kPlans; ++i) query.plans.push_back(make_plan(query, rng));
    }
    const bool is_cancelled = rng.unit() < file_.cancel;
    const Duration after = file_.cancel_after.duration(rng);
    if (is_cancelled) query.cancel_at = at + after;
    return query;
  }

  Budget budget(Rng& rng) {
    const BudgetModel& model = file_.budget;
    Budget budget;
    const auto one = [&](const std::optional<Draw>& draw) -> std::optional<std::int64_t> {
      if (!draw || rng.unit() >= model.share) return std::nullopt;
      return draw->count(rng);
    };
    if (const auto usd = one(model.usd)) budget.usd = PicoUsd(*usd);
    if (const auto tokens = one(model.cloud_tokens)) budget.cloud_tokens = Tokens(*tokens);
    if (const auto deadline = one(model.deadline)) budget.deadline = Duration(*deadline);
    return budget;
  }

  // What each step relies on, and how long its answer is; the answer itself is not among them yet.
  struct Shape {
    std::vector<std::vector<SubtaskId>> inputs;
    std::vector<double> weights;  // Share of `tokens`; empty: each draws its own.
  };

  Shape shape(Rng& rng) {
    const GraphModel& graphs = file_.graphs;
    Shape shape;
    if (graphs.kind == GraphModel::Kind::kGiven) {
      shape.inputs = graphs.given[rng.below(graphs.given.size())];
    } else if (graphs.kind == GraphModel::Kind::kAsyncHow) {
      const RecordedGraph& graph = graphs.recorded[rng.below(graphs.recorded.size())];
      shape.inputs = graph.inputs;
      const std::uint32_t longest = std::max(*std::ranges::max_element(graph.seconds), 1U);
      for (const std::uint32_t seconds : graph.seconds) {
        shape.weights.push_back(static_cast<double>(seconds) / static_cast<double>(longest));
      }
    } else {
      shape.inputs.resize(std::clamp(narrow(graphs.steps.count(rng)), 1U, kStepsMax));
      for (std::size_t i = 0; i < shape.inputs.size(); ++i) {
        for (std::size_t input = 0; input < i; ++input) {
          if (rng.unit() >= graphs.edges) continue;
          shape.inputs[i].push_back(static_cast<SubtaskId>(input));
        }
      }
    }
    return shape;
  }

  PlanScript make_plan(const QueryScript& query, Rng& rng) {
    PlanScript plan;
    const double quality = rng.unit();
    const double steps_per_second = std::max(file_.planner.steps_per_second.number(rng), 1e-3);
    const Duration a_step(static_cast<std::int64_t>(1e9 / steps_per_second));
    const Duration lingers = file_.planner.lingers.duration(rng);
    const bool is_useless = quality < file_.planner.useless;
    if (is_useless) {
      plan.outcome = PlanOutcome::kUseless;
      plan.end = a_step;
      plan.call_end = plan.end + lingers;
      return plan;
    }
    write_steps(query, a_step, rng, plan);
    if (quality < file_.planner.useless + file_.planner.truncated && plan.steps.size() > 1) {
      plan.steps.resize(1 + rng.below(plan.steps.size() - 1));
      plan.outcome = PlanOutcome::kTruncated;
    }
    plan.end = plan.steps.back().at + a_step / 4;
    plan.call_end = plan.end + lingers;
    plan.sink = static_cast<SubtaskId>(plan.steps.size() - 1);
    Graph graph;
    for (const StepScript& step : plan.steps) graph.add(step.subtask);
    plan.pruned = graph.not_reaching(*plan.sink);
    return plan;
  }

  // The last step is the answer, and relies on all that nothing else relies on.
  void write_steps(const QueryScript& query, Duration a_step, Rng& rng, PlanScript& plan) {
    const GraphModel& graphs = file_.graphs;
    const Shape shape = this->shape(rng);
    std::vector<bool> is_used(shape.inputs.size());
    const double tokens = std::max(graphs.tokens.number(rng), 1.0);
    for (std::size_t i = 0; i < shape.inputs.size(); ++i) {
      StepScript& step = plan.steps.emplace_back();
      step.subtask.role = shape.inputs[i].empty() ? Role::kExplain : Role::kAnalyze;
      step.subtask.relies_on.assign(shape.inputs[i].begin(), shape.inputs[i].end());
      for (const SubtaskId input : shape.inputs[i]) is_used[index_of(input)] = true;
      const double own =
          shape.weights.empty() ? graphs.tokens.number(rng) : tokens * shape.weights[i];
      step.subtask.expected = Tokens(std::max<std::int64_t>(static_cast<std::int64_t>(own), 1));
    }
    StepScript& answer = plan.steps.emplace_back();
    answer.subtask.role = Role::kGenerate;
    answer.subtask.expected = query.expected;
    for (std::size_t i = 0; i < is_used.size(); ++i) {
      if (!is_used[i]) answer.subtask.relies_on.push_back(static_cast<SubtaskId>(i));
    }
    Duration at{};
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      StepScript& step = plan.steps[i];
      at += a_step;
      step.at = at;
      step.label = std::to_string(i + 1);
      step.task_bytes = narrow(graphs.task_bytes.count(rng));
      step.features = features_of(rng, step.task_bytes);
      step.difficulty = static_cast<std::uint8_t>(rng.below(10));
    }
  }

  const WorldFile& file_;
  const std::uint64_t seed_;
  std::uint32_t answer_tokens_ = 0;   // As recorded; 0: drawn.
  std::uint32_t question_bytes_ = 0;  // Likewise.
};

}  // namespace

WorldSpec make_world(const WorldFile& file, std::uint64_t seed, std::string_view policy) {
  return Workload(file, seed).world(policy);
}

}  // namespace hf::sim
