// An attempt on the edge: its result is looked at before it stands, and decided on again.
#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "schedule/impl.h"

namespace hf {

// The edge has answered an attempt: the step is queued again, for the router to review.
void Scheduler::Impl::take_attempt(Query& query, std::uint32_t index, const CallDone& event) {
  Node& node = query.nodes[index];
  SubtaskRecord& record = query.record.subtasks[index];
  Attempt& attempt = record.attempt.emplace();
  if (event.signals) attempt.signals = *event.signals;
  if (event.usage) attempt.completion = event.usage->completion;
  attempt.was_cut = event.cut_by_length;
  attempt.has_answer = event.has_answer;
  node.is_attempt = false;
  node.tier.reset();  // Where it goes now is no fallback.
  record.state = SubtaskState::kReady;
  enqueue(query, index);
}

// Where the attempt ran that there is a result of; absent if there is none.
std::optional<EndpointId> Scheduler::Impl::attempted_at(const Query& query, std::uint32_t index) {
  const SubtaskRecord& record = query.record.subtasks[index];
  if (!record.attempt) return std::nullopt;
  return record.earlier.empty() ? record.decision->endpoint : record.earlier.front().endpoint;
}

// The result of the attempt stands. REQUIRES: there is one.
void Scheduler::Impl::keep_attempt(Query& query, std::uint32_t index) {
  const bool was_cut = query.record.subtasks[index].attempt->was_cut;
  end_node(query, index, SubtaskState::kDone, "");
  if (!query.is_sink(index)) return release_dependants(query, index);
  if (was_cut) note_cut_answer(query);
  finish_answered(query);
}

// There is no time for anything better. REQUIRES: there is a result.
void Scheduler::Impl::keep_attempt_in_time(Query& query, std::uint32_t index) {
  SubtaskRecord& record = query.record.subtasks[index];
  record.earlier.push_back(*record.decision);
  Decision kept = record.earlier.front();
  kept.action = Action::kRun;
  kept.reason = Reason("no time is left for better than the attempt");
  record.decision = std::move(kept);
  query.record.degraded.push_back(
      fmt::format("deadline: {} keeps its attempt on the edge", name_of(index)));
  keep_attempt(query, index);
}

}  // namespace hf
