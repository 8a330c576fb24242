#include "sim/sweep.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/rng.h"
#include "sim/workload.h"

namespace hf::sim {
namespace {

// Results that wait for their turn at most; small enough for memory, large enough for threads.
constexpr std::uint64_t kBatch = 1024;

thread_local std::uint64_t running_seed = 0;

QueryResult result_of(const World& world, const WorldSpec& spec, QueryId id) {
  const RunRecord& record = world.record(id);
  QueryResult result{.outcome = record.outcome.value_or(Outcome::kUnavailable),
                     .wall = record.wall,
                     .usd = record.budget_state.spent.usd,
                     .cloud_tokens = record.budget_state.spent.cloud_tokens,
                     .edge_tokens = {},
                     .is_right = world.is_right(id),
                     .is_lost = world.is_lost(id)};
  for (const CallRecord& call : record.calls) {
    result.hedges += call.kind == CallKind::kHedge;
    if (spec.endpoints[index_of(call.endpoint)].endpoint.tier == Tier::kCloud) {
      ++result.cloud_calls;
    } else {
      ++result.edge_calls;
      result.edge_tokens += call.usage.total();
    }
  }
  return result;
}

}  // namespace

std::uint64_t current_seed() {
  return running_seed;
}

SeedResult run_seed(const WorldFile& file, std::uint64_t seed, std::string_view policy,
                    Trace trace) {
  running_seed = seed;
  World world(make_world(file, seed, policy), trace);
  SeedResult result{.seed = seed, .violations = {}, .queries = {}, .trace = world.run()};
  result.hash = world.hash();
  result.events = world.events();
  result.makespan = world.end() - TimePoint{};
  result.faults = world.faults();
  const auto violations = world.violations();
  result.violations.assign(violations.begin(), violations.end());
  for (const QueryScript& query : world.spec().queries) {
    if (world.has_arrived(query.id)) {
      result.queries.push_back(result_of(world, world.spec(), query.id));
    }
  }
  return result;
}

void sweep(const WorldFile& file, const SweepOptions& options,
           const std::function<void(const SeedResult&)>& sink) {
  std::uint64_t from = options.from;
  while (true) {
    const std::uint64_t count = std::min(kBatch, options.to - from + 1);
    std::vector<SeedResult> results(count);
    std::atomic<std::uint64_t> next = 0;
    const auto work = [&] {
      for (std::uint64_t i = next++; i < count; i = next++) {
        results[i] = run_seed(file, from + i, options.policy, options.trace);
      }
    };
    {
      std::vector<std::jthread> helpers;
      for (unsigned i = 1; i < options.jobs; ++i) helpers.emplace_back(work);
      work();
    }
    for (const SeedResult& result : results) sink(result);
    if (options.to - from < kBatch) return;
    from += kBatch;
  }
}

void Summary::add(const SeedResult& result) {
  ++seeds;
  violations += result.violations.size();
  hash = mix(hash ^ result.hash);
  events += result.events;
  makespan.add(result.makespan);
  for (std::size_t i = 0; i < kFaults; ++i) faults[i] += result.faults[i];
  for (const QueryResult& query : result.queries) {
    ++queries;
    ++(query.is_lost ? lost : outcomes[static_cast<std::size_t>(query.outcome)]);
    right += query.is_right;
    sums.usd += query.usd;
    sums.cloud_tokens += query.cloud_tokens;
    sums.edge_tokens += query.edge_tokens;
    sums.cloud_calls += query.cloud_calls;
    sums.edge_calls += query.edge_calls;
    sums.hedges += query.hedges;
    if (query.outcome == Outcome::kAnswered || query.outcome == Outcome::kDegraded) {
      latency.add(query.wall);
    }
  }
}

}  // namespace hf::sim
