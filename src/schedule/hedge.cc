// A second call for a critical one that is late: whichever answers first wins, the other is
// cancelled.
#include <algorithm>

#include "schedule/impl.h"

namespace hf {

// Sets the time at which the call that was just started for a node is late: later than almost all
// calls to its endpoint, or, for the answer, the last moment at which the quickest other endpoint
// can still make the deadline.
void Scheduler::Impl::arm_hedge(Query& query, std::uint32_t index) {
  if (!options_.hedge || query.is_forwarded) return;
  if (!query.is_sink(index) && query.paths[index].slack > 0) return;
  Job& job = query.job(index);
  const Call& call = calls_.at(static_cast<std::uint64_t>(*job.call));
  std::optional<TimePoint> at;
  if (const auto wait = places_[index_of(call.endpoint)].hedge_delay.after(call.predicted)) {
    at = now_ + std::max(*wait, options_.hedge_floor);
  }
  if (const auto last = last_moment(query, index, call.endpoint))
    at = std::min(at.value_or(*last), *last);
  const auto& until = query.is_sink(index) ? query.hard : query.soft;
  if (!at || (until && *at >= *until)) return;
  job.hedge_timer = set_timer(query, std::max(*at, now_));
}

// For the answer under a deadline: when the quickest endpoint besides this one must be started to
// make it, with a quarter of its time to spare.
std::optional<TimePoint> Scheduler::Impl::last_moment(const Query& query, std::uint32_t index,
                                                      EndpointId endpoint) const {
  if (index == kPlanJob || !query.is_sink(index) || !query.hard) return std::nullopt;
  const auto rival = rival_of(query, index, endpoint);
  if (!rival) return std::nullopt;
  const Duration needs = places_[index_of(*rival)].speed.predicted(expected_of(query, index));
  if (needs == Duration(0)) return std::nullopt;
  return *query.hard - needs * 5 / 4;
}

void Scheduler::Impl::hedge(Query& query, std::uint32_t index) {
  Job& job = query.job(index);
  if (!job.call || job.hedge) return;
  const Call& call = calls_.at(static_cast<std::uint64_t>(*job.call));
  // An answer that is on its way to the reader is not begun anew.
  if (query.is_sink(index) && record_of(call).first_token) return;
  const auto rival = rival_of(query, index, call.endpoint);
  if (!rival || !may_start_again(query, *rival)) return;
  count_again(query, *rival);

  Start what;
  what.kind = CallKind::kHedge;
  what.prompt = prompt_for(query, index);
  what.endpoint = *rival;
  what.worst = worst_at(*rival, bound_of(query, index));
  what.priority = priority_of(query, index);
  what.inputs = done_inputs(query, index);
  ++query.record.subtasks[index].attempts;
  start(query, index, what);
}

// Another endpoint that is well, has a free place and can be paid for: the quickest known.
std::optional<EndpointId> Scheduler::Impl::rival_of(const Query& query, std::uint32_t index,
                                                    EndpointId endpoint) const {
  const Usage bound = bound_of(query, index);
  const Tokens expected = expected_of(query, index);
  const bool is_attempted = attempted_at(query, index).has_value();
  std::optional<EndpointId> best;
  Duration best_time = Duration::max();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto id = static_cast<EndpointId>(i);
    if (id == endpoint || places_[i].breaker.is_open() || is_busy(id)) continue;
    if (is_attempted && options_.endpoints[i].tier == Tier::kEdge) continue;
    if (!is_usable(query, query.nodes[index], id)) continue;
    if (!ledger_.fits(query.scope, amounts_of(id, worst_at(id, bound)))) continue;
    const Duration known = places_[i].speed.predicted(expected);
    const Duration time = known == Duration(0) ? Duration::max() - Duration(1) : known;
    if (time >= best_time) continue;
    best = id;
    best_time = time;
  }
  return best;
}

// A call that is not the first of its job takes from two allowances, so that trouble in one place
// neither storms it nor eats a query up.
bool Scheduler::Impl::may_start_again(const Query& query, EndpointId endpoint) const {
  return query.retries.has_any() && places_[index_of(endpoint)].retries.has_any();
}

void Scheduler::Impl::count_again(Query& query, EndpointId endpoint) {
  query.retries.take();
  places_[index_of(endpoint)].retries.take();
}

}  // namespace hf
