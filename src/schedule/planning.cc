// The plan as it comes: steps become nodes, its end decides which of them is the answer.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "schedule/impl.h"

namespace hf {

void Scheduler::Impl::on(const StepParsed& event) {
  Query* query = running_query(event.query);
  if (query == nullptr || !query->is_plan_open) return;
  const auto index = static_cast<std::uint32_t>(query->nodes.size());
  HF_ASSERT(index_of(event.id) == index);
  add_node(*query, event.subtask, event.task_bytes, event.features);
  if (query->queued > 0) reorder(*query);
  if (query->nodes[index].inputs_left == 0) make_ready(*query, index);
}

void Scheduler::Impl::on(const PlanEnded& event) {
  Query* query = running_query(event.query);
  if (query == nullptr || !query->is_plan_open) return;
  if (event.outcome == PlanOutcome::kUseless || !event.sink) return plan_again_or_go_whole(*query);
  use_plan(*query, event);
}

void Scheduler::Impl::use_plan(Query& query, const PlanEnded& event) {
  HF_ASSERT(index_of(*event.sink) < query.nodes.size());
  query.is_plan_open = false;
  query.planner_failure.reset();
  query.record.sink = event.sink;
  if (event.outcome == PlanOutcome::kTruncated) {
    query.record.degraded.emplace_back("plan: it ended early; the steps read until then were used");
  }
  for (const SubtaskId id : event.pruned) {
    const auto index = static_cast<std::uint32_t>(id);
    HF_ASSERT(index < query.nodes.size() && !query.is_sink(index));
    if (is_terminal(query.state(index))) continue;
    end_node(query, index, SubtaskState::kPruned, "The answer does not rely on it.");
  }
  const auto sink = static_cast<std::uint32_t>(*event.sink);
  if (query.state(sink) == SubtaskState::kDone) return finish_answered(query);
  if (is_terminal(query.state(sink))) {
    // It was left out before it was known to be the answer.
    const auto& refusal = query.nodes[sink].refusal;
    if (refusal) query.record.refusal = *refusal;
    return finish(query, refusal ? Outcome::kRefused : Outcome::kUnavailable,
                  query.record.subtasks[sink].why_not_done);
  }
  // The end of the plan is what nodes of role `generate` were still waiting for.
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    if (query.graph[static_cast<SubtaskId>(i)].role != Role::kGenerate) continue;
    if (is_terminal(query.state(i))) continue;
    if (--query.nodes[i].inputs_left == 0) make_ready(query, i);
  }
}

void Scheduler::Impl::plan_again_or_go_whole(Query& query) {
  if (query.is_plan_given) {
    return go_whole(query, "plan: the given plan has no usable step; the question went out whole");
  }
  cancel(query.planner);
  // Steps cannot be taken back once they are known, so planning again needs a clean sheet.
  const bool is_clean = query.nodes.empty();
  if (query.planner_failure && is_clean) {
    const PlannerFailure lost = *std::exchange(query.planner_failure, std::nullopt);
    return retry_or_move(query, kPlanJob, lost.endpoint, lost.call, lost.failure, lost.retry_after);
  }
  if (query.is_replan || !is_clean) {
    return go_whole(query, "plan: no usable plan was made; the question went out whole");
  }
  query.is_replan = true;
  if (!query.planner.is_queued && !query.planner.timer) enqueue(query, kPlanJob);
}

void Scheduler::Impl::go_whole(Query& query, std::string degraded) {
  query.is_plan_open = false;
  query.is_whole = true;
  query.planner_failure.reset();
  if (!degraded.empty()) query.record.degraded.push_back(std::move(degraded));
  cancel(query.planner);
  if (query.planner.is_queued) dequeue(query, kPlanJob);
  drop_timer(query.planner.timer);
  for (std::uint32_t i = 0; i < query.nodes.size(); ++i) {
    if (is_terminal(query.state(i))) continue;
    end_node(query, i, SubtaskState::kSkipped, "The question went out whole.");
  }
  const auto sink = static_cast<std::uint32_t>(query.nodes.size());
  query.record.sink = static_cast<SubtaskId>(sink);
  add_node(query, Subtask{.role = Role::kGenerate, .relies_on = {}, .expected = {}}, 0,
           query.features);
  make_ready(query, sink);
}

void Scheduler::Impl::add_node(Query& query, const Subtask& subtask, std::uint32_t task_bytes,
                               const TaskFeatures& features) {
  const auto index = static_cast<std::uint32_t>(query.nodes.size());
  query.graph.add(subtask);
  Node& node = query.nodes.emplace_back();
  node.task_bytes = task_bytes;
  node.features = features;
  for (const SubtaskId input : subtask.relies_on) {
    node.depth = std::max(node.depth, query.nodes[index_of(input)].depth + 1);
    if (!is_terminal(query.state(static_cast<std::uint32_t>(input)))) ++node.inputs_left;
  }
  // Only the end of the plan tells for certain which node is the answer, and its prompt differs.
  if (query.is_plan_open && subtask.role == Role::kGenerate) ++node.inputs_left;
  query.record.subtasks.emplace_back().subtask = subtask;
  query.work_total += expected_of(query, index);
}

void Scheduler::Impl::refresh_shape(Query& query) {
  if (query.paths.size() == query.graph.size()) return;
  const Tokens otherwise(options_.subtask_max_tokens.count() / 2);
  query.paths = query.graph.paths(otherwise, std::move(query.paths));
}

}  // namespace hf
