// What the router is shown of a ready subtask: where it could run, what money is left, and where
// it stands among the others.
#include <algorithm>
#include <limits>
#include <utility>

#include "schedule/impl.h"

namespace hf {
namespace {

// Bounds that keep every product of tokens and price far from overflow.
constexpr std::int64_t kMostTokens = 1'000'000'000;

}  // namespace

// Fills `candidates_` with every endpoint that could do it, money aside.
void Scheduler::Impl::collect(const Query& query, std::uint32_t index, const Usage& bound) {
  candidates_.clear();
  const Usage expected = expected_usage(query, index, bound);
  const auto attempted = attempted_at(query, index);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto id = static_cast<EndpointId>(i);
    const Endpoint& endpoint = options_.endpoints[i];
    // Of the edge there is a result already, which asks for nothing more.
    if (attempted && endpoint.tier == Tier::kEdge ? id != attempted
                                                  : !is_usable(query, query.nodes[index], id)) {
      continue;
    }
    candidates_.push_back({.endpoint = id,
                           .tier = endpoint.tier,
                           .expected_usd = cost_of(endpoint.price, expected),
                           .expected_time = places_[i].speed.predicted(expected.completion),
                           .in_flight = places_[i].in_flight,
                           .max_in_flight = places_[i].concurrency.limit()});
  }
}

// Where the time is known to suffice somewhere, drops the candidates where it does not.
void Scheduler::Impl::keep_timely(const Query& query, std::uint32_t index) {
  const auto& until = query.is_sink(index) ? query.hard : query.soft;
  if (!until) return;
  const auto attempted = attempted_at(query, index);
  const auto is_late = [&](const Candidate& each) {
    return each.endpoint != attempted && each.expected_time > *until - now_;
  };
  if (std::ranges::all_of(candidates_, is_late)) return;
  std::erase_if(candidates_, is_late);
}

// Drops the candidates that do not fit; returns why one did not, rather one that may fit later.
std::optional<Refusal> Scheduler::Impl::keep_affordable(const Query& query, std::uint32_t index,
                                                        const Usage& bound) {
  std::optional<Refusal> kept;
  const auto attempted = attempted_at(query, index);
  std::erase_if(candidates_, [&](const Candidate& each) {
    if (each.endpoint == attempted) return false;
    const Amounts worst = amounts_of(each.endpoint, worst_at(each.endpoint, bound));
    std::optional<Refusal> refusal = ledger_.refusal(query.scope, worst);
    if (!refusal) return false;
    // What is leased is not the limit that the user set; who refused more of it knows that.
    const Account* const lease = refusing_lease(query, *refusal);
    if (lease != nullptr && lease->refusal && !refusal->may_fit_later()) {
      const Refusal asked = *std::move(refusal);
      refusal = lease->refusal;
      if (refusal->axis == asked.axis) refusal->asked = asked.asked;
    }
    if (!kept || (refusal->may_fit_later() && !kept->may_fit_later())) kept = std::move(refusal);
    return true;
  });
  return kept;
}

RouteInput Scheduler::Impl::route_input(Query& query, std::uint32_t index) {
  refresh_shape(query);
  const Node& node = query.nodes[index];
  const auto id = static_cast<SubtaskId>(index);
  RouteInput input;
  input.query = query.id;
  input.subtask = id;
  input.role = query.graph[id].role;
  input.is_whole_question = query.is_whole;
  input.features = node.features;
  input.depth = node.depth;
  input.dependants = static_cast<std::uint32_t>(query.graph.dependants(id).size());
  input.expected = expected_of(query, index);
  input.slack = Tokens(query.paths[index].slack);
  input.progress = static_cast<double>(query.work_done.count()) /
                   static_cast<double>(std::max<std::int64_t>(1, query.work_total.count()));
  input.elapsed = now_ - query.arrived;
  input.deadline = query.record.budget.deadline;
  input.budget = ledger_.state(query.scope);
  input.seed = query.seed;
  if (router_.looks_around()) {
    describe_surroundings(query, index, input);
    describe_allowance(query, index, input);
  }
  return input;
}

// The quickest endpoint of a tier that is not at rest, if there is any.
const Place* Scheduler::Impl::quickest(const Query& query, Tier tier) const {
  const Place* best = nullptr;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    if (!may_use(query, static_cast<EndpointId>(i))) continue;
    if (options_.endpoints[i].tier != tier || !place.breaker.allows(now_)) continue;
    if (best == nullptr || place.speed.predicted(Tokens(1)) < best->speed.predicted(Tokens(1)))
      best = &place;
  }
  return best;
}

// Steps that are not decided on yet are taken to run on the edge. Times of endpoints that nothing
// is known of are zero.
void Scheduler::Impl::describe_surroundings(Query& query, std::uint32_t index, RouteInput& input) {
  const auto& inputs = query.graph[input.subtask].relies_on;
  double chances = 0;
  for (const SubtaskId id : inputs) {
    const SubtaskRecord& record = query.record.subtasks[index_of(id)];
    if (record.state != SubtaskState::kDone || !record.decision) continue;
    ++input.around.inputs;
    if (record.decision->tier == Tier::kEdge) ++input.around.inputs_from_edge;
    chances += chance_of_result(*record.decision);
  }
  if (input.around.inputs > 0) input.around.input_chance = chances / input.around.inputs;
  input.weight = 1.0 / (1 + steps_below(query, index));
  if (query.nodes.size() < 2) return;

  const Place* edge = quickest(query, Tier::kEdge);
  step_times_.clear();
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    const Node& node = query.nodes[i];
    const Tokens tokens = expected_of(query, i);
    StepTime step{.time = edge != nullptr ? edge->speed.predicted(tokens) : Duration(0),
                  .is_over = is_terminal(query.state(i)),
                  .is_running = node.call.has_value(),
                  .is_on_edge = true};
    if (node.call) {
      const Call& call = calls_.at(static_cast<std::uint64_t>(*node.call));
      const Duration passed = now_ - query.arrived - query.record.calls[call.record].started;
      step.time = std::max(call.predicted - passed, Duration(0));
      step.is_on_edge = options_.endpoints[index_of(call.endpoint)].tier == Tier::kEdge;
    }
    step_times_.push_back(step);
  }
  time_tails_.assign(query.nodes.size(), Duration(0));
  for (std::size_t i = query.nodes.size(); i-- > 0;) {
    if (!step_times_[i].is_over) time_tails_[i] += step_times_[i].time;
    for (const SubtaskId id : query.graph[static_cast<SubtaskId>(i)].relies_on)
      time_tails_[index_of(id)] = std::max(time_tails_[index_of(id)], time_tails_[i]);
  }
  input.around.steps = step_times_;
  input.around.tails = time_tails_;
  input.around.graph = &query.graph;
  if (edge != nullptr) input.around.edge_places = std::max(1U, edge->concurrency.limit());
}

// Of the result that stands, by the alternative that it came from.
double Scheduler::Impl::chance_of_result(const Decision& decision) {
  for (const Alternative& each : decision.alternatives) {
    if (each.endpoint == decision.endpoint && each.chance > 0) return each.chance;
  }
  return 1;
}

// Steps on the longest chain from this one to the answer.
std::uint32_t Scheduler::Impl::steps_below(const Query& query, std::uint32_t index) {
  steps_below_.assign(query.nodes.size(), 0);
  for (std::size_t i = query.nodes.size(); i-- > index;) {
    for (const SubtaskId id : query.graph[static_cast<SubtaskId>(i)].relies_on)
      steps_below_[index_of(id)] = std::max(steps_below_[index_of(id)], steps_below_[i] + 1);
  }
  // While the plan is being written, its answer at least is still to come.
  const bool is_last = query.graph[static_cast<SubtaskId>(index)].role == Role::kGenerate;
  const bool is_more_to_come = query.is_plan_open && !is_last;
  return std::max(steps_below_[index], is_more_to_come ? 1U : 0U);
}

// The dollars of the query are shared out among its steps that are not decided on; while the plan
// is being written, one more is expected, as costly as this one.
void Scheduler::Impl::describe_allowance(const Query& query, std::uint32_t index,
                                         RouteInput& input) const {
  const std::optional<PicoUsd> limit = input.budget.usd_limit;
  if (!limit) return;
  const auto cloud = std::ranges::find(options_.endpoints, Tier::kCloud, &Endpoint::tier);
  if (cloud == options_.endpoints.end()) return;
  Allowance allowance;
  allowance.left = *limit - input.budget.spent.usd - input.budget.held.usd;
  allowance.decisions = 0;
  const auto add = [&](std::uint32_t i) {
    allowance.ahead += cost_of(cloud->price, expected_usage(query, i, bound_of(query, i)));
    allowance.decisions += 1;
  };
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    const SubtaskState state = query.state(i);
    if (state == SubtaskState::kWaiting || state == SubtaskState::kReady) add(i);
  }
  if (query.is_plan_open) add(index);
  allowance.spent = *limit > PicoUsd(0) ? static_cast<double>(input.budget.spent.usd.count()) /
                                              static_cast<double>(limit->count())
                                        : 1;
  input.allowance = allowance;
}

// What a call will use, if bytes are four a token.
Usage Scheduler::Impl::expected_usage(const Query& query, std::uint32_t index,
                                      const Usage& bound) const {
  Usage usage;
  usage.prompt = Tokens(bound.prompt.count() / 4);
  usage.completion = expected_of(query, index);
  return usage;
}

Tokens Scheduler::Impl::expected_of(const Query& query, std::uint32_t index) const {
  const Tokens given = query.graph[static_cast<SubtaskId>(index)].expected;
  if (given > Tokens(0)) return std::min(given, Tokens(kMostTokens));
  const Tokens cap = query.is_sink(index) ? query.answer_tokens_max : options_.subtask_max_tokens;
  return Tokens(cap.count() / 2);
}

// Most tokens a call of this node can use. Bytes bound the tokens of a prompt.
Usage Scheduler::Impl::bound_of(const Query& query, std::uint32_t index) const {
  const Node& node = query.nodes[index];
  const Subtask& subtask = query.graph[static_cast<SubtaskId>(index)];
  std::int64_t bytes = query.question_bytes;
  if (!query.is_forwarded) bytes += std::int64_t{options_.prompt_overhead_bytes} + node.task_bytes;
  for (const SubtaskId id : subtask.relies_on) {
    if (query.state(static_cast<std::uint32_t>(id)) != SubtaskState::kDone) continue;
    const Node& input = query.nodes[index_of(id)];
    bytes += std::int64_t{input.task_bytes} + input.output_bytes + options_.input_overhead_bytes;
  }
  Usage bound;
  bound.prompt = Tokens(std::min(bytes, kMostTokens));
  bound.completion = options_.subtask_max_tokens;
  if (query.is_sink(index)) {
    bound.completion = query.answer_tokens_max;
  } else if (subtask.expected > Tokens(0)) {
    const Tokens roomy = std::min(subtask.expected, Tokens(kMostTokens)) * 2 + Tokens(32);
    bound.completion = std::min(std::max(roomy, Tokens(64)), options_.subtask_max_tokens);
  }
  return bound;
}

// Where the money does not suffice for the longest answer, a shorter one is allowed, as long as it
// may be half as long again as expected. False, and nothing is changed, if not even that fits.
bool Scheduler::Impl::shorten(const Query& query, std::uint32_t index, Decision& decision,
                              Usage& bound) const {
  if (query.is_cap_fixed) return false;
  const auto fits = [&](std::int64_t tokens) {
    Usage usage = bound;
    usage.completion = Tokens(tokens);
    return ledger_.fits(query.scope,
                        amounts_of(decision.endpoint, worst_at(decision.endpoint, usage)));
  };
  // Of a request that is passed on nobody has said how long its answer will be.
  constexpr std::int64_t kLeast = 256;
  const std::int64_t expected = expected_of(query, index).count() * 3 / 2;
  std::int64_t low = query.is_forwarded ? std::min(expected, kLeast) : expected;
  std::int64_t high = bound.completion.count();
  if (low < 1 || low >= high || !fits(low)) return false;
  while (high - low > 1) {  // `low` fits, `high` does not.
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  bound.completion = Tokens(low);
  decision.reason.append("; the budget allows {} tokens", low);
  return true;
}

// Where cached tokens cost more than others, all are taken to be cached.
Usage Scheduler::Impl::worst_at(EndpointId endpoint, Usage bound) const {
  const Price& price = options_.endpoints[index_of(endpoint)].price;
  bound.cached = price.cached > price.prompt ? bound.prompt : Tokens(0);
  return bound;
}

Amounts Scheduler::Impl::amounts_of(EndpointId id, const Usage& usage) const {
  const Endpoint& endpoint = options_.endpoints[index_of(id)];
  return {cost_of(endpoint.price, usage),
          endpoint.tier == Tier::kCloud ? usage.total() : Tokens(0)};
}

}  // namespace hf
