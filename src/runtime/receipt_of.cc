#include "runtime/receipt_of.h"

#include <utility>

namespace hf {
namespace {

// The node that stands for the question itself has no step of its own in the plan.
void add_whole_question(Receipt& receipt, const Blackboard& board) {
  for (std::size_t i = receipt.steps.size(); i < receipt.record.subtasks.size(); ++i) {
    PlannedStep& step = receipt.steps.emplace_back();
    step.id = SubtaskId(static_cast<std::uint32_t>(i));
    step.label = i == 0 ? "1" : "whole";
    step.subtask = receipt.record.subtasks[i].subtask;
    step.task = board.query.question;
  }
}

}  // namespace

Receipt receipt_of(Blackboard& board, const RunRecord& record, const Config& config) {
  Receipt receipt;
  receipt.run = board.query.run;
  receipt.policy = board.query.policy.empty() ? config.policy : board.query.policy;
  receipt.planned = board.gate.plan;
  receipt.gate_reason = board.gate.reason;
  receipt.plan_source = board.plan_source;
  receipt.steps = std::move(board.steps);
  receipt.repairs = std::move(board.repairs);
  receipt.plan_end = std::move(board.plan_end);
  receipt.record = record;
  // A step that was done before the plan's end showed that nothing needs it did run.
  std::erase_if(receipt.plan_end.pruned, [&](SubtaskId id) {
    return receipt.record.subtasks[index_of(id)].state != SubtaskState::kPruned;
  });
  add_whole_question(receipt, board);
  receipt.outputs = std::move(board.outputs);
  receipt.outputs.resize(receipt.record.subtasks.size());
  receipt.attempts = std::move(board.attempts);
  receipt.attempts.resize(receipt.record.subtasks.size());
  for (std::size_t i = 0; i < receipt.outputs.size(); ++i) {
    // That of an attempt that was to be done again when the query ended.
    if (receipt.record.subtasks[i].state != SubtaskState::kDone) receipt.outputs[i].clear();
  }
  const auto sink = receipt.record.sink;
  const bool is_answered =
      receipt.record.outcome == Outcome::kAnswered || receipt.record.outcome == Outcome::kDegraded;
  if (is_answered && sink) {
    const std::string& output = receipt.outputs[index_of(*sink)];
    receipt.answer = output.empty() ? board.answer : output;
  }
  receipt.endpoints.reserve(config.endpoints.size());
  for (const EndpointConfig& endpoint : config.endpoints)
    receipt.endpoints.push_back(endpoint.endpoint);
  return receipt;
}

}  // namespace hf
