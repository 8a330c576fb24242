#include "eval/past_choices.h"

#include <algorithm>
#include <string>

#include "route/answer.h"

namespace hf::eval {
namespace {

// Where the result came from: a rival or a fallback may have done it elsewhere than decided.
std::optional<Tier> tier_of_result(const Receipt& receipt, SubtaskId subtask, Tier decided) {
  std::optional<Tier> tier;
  for (const CallRecord& call : receipt.record.calls) {
    if (call.subtask != subtask || call.kind == CallKind::kPlanner) continue;
    if (call.status != CallStatus::kDone) continue;
    tier = receipt.endpoints[index_of(call.endpoint)].tier;
    if (tier == decided) return tier;
  }
  return tier;
}

// An attempt that stood because nothing else was possible repeats the decision that asked for it.
bool is_review(const SubtaskRecord& subtask) {
  if (!subtask.attempt || subtask.earlier.empty()) return false;
  const Decision& last = *subtask.decision;
  const Decision& before = subtask.earlier.back();
  return last.action == Action::kRun &&
         (last.utility != before.utility || last.threshold != before.threshold ||
          last.edge_chance != before.edge_chance || last.cloud_chance != before.cloud_chance);
}

const Alternative* alternative(const Receipt& receipt, const Decision& decision, Tier tier,
                               Action action) {
  for (const Alternative& each : decision.alternatives) {
    if (receipt.endpoints[index_of(each.endpoint)].tier == tier && each.action == action)
      return &each;
  }
  return nullptr;
}

}  // namespace

std::optional<PastChoice> past_choice(const Receipt& receipt, SubtaskId subtask) {
  const SubtaskRecord& record = receipt.record.subtasks[index_of(subtask)];
  if (record.state != SubtaskState::kDone || !record.decision) return std::nullopt;
  const Decision& decision = *record.decision;
  const auto tier = tier_of_result(receipt, subtask, decision.tier);
  if (!tier) return std::nullopt;

  PastChoice choice;
  choice.tier = *tier;
  choice.was_tried = is_review(record);
  choice.edge_chance = std::clamp(decision.edge_chance, 0.0, 1.0);
  choice.cloud_chance = std::clamp(decision.cloud_chance, 0.0, 1.0);
  choice.utility = decision.utility;
  choice.threshold = decision.threshold;
  choice.propensity = decision.propensity;
  const Alternative* edge = alternative(receipt, decision, Tier::kEdge, Action::kRun);
  const Alternative* cloud = alternative(receipt, decision, Tier::kCloud, Action::kRun);
  const Alternative* attempt = alternative(receipt, decision, Tier::kEdge, Action::kAttempt);
  // A policy that names no alternatives has compared the gain with its threshold.
  choice.edge_served = edge != nullptr ? edge->chance : choice.edge_chance;
  choice.cloud_served = cloud != nullptr
                            ? cloud->chance
                            : std::clamp(choice.edge_served + decision.utility, 0.0, 1.0);
  if (attempt != nullptr) choice.attempt_worth = attempt->worth;
  choice.was_open = choice.is_predicted() && decision.utility != 0 &&
                    decision.action == Action::kRun && *tier == decision.tier &&
                    choice.was_tried == record.attempt.has_value() && decision.propensity > 0;
  return choice;
}

std::optional<double> agreement(const Receipt& receipt, SubtaskId subtask) {
  const std::size_t index = index_of(subtask);
  const SubtaskRecord& record = receipt.record.subtasks[index];
  if (record.state != SubtaskState::kDone || !record.attempt || !record.decision ||
      record.decision->tier != Tier::kCloud || index >= receipt.attempts.size() ||
      index >= receipt.outputs.size()) {
    return std::nullopt;
  }
  const std::string edge = final_answer(receipt.attempts[index]);
  const std::string cloud = final_answer(receipt.outputs[index]);
  if (edge.empty() || cloud.empty()) return std::nullopt;
  return edge == cloud ? 1 : 0;
}

}  // namespace hf::eval
