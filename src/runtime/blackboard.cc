#include "runtime/blackboard.h"

#include <utility>

#include "plan/prompts.h"

namespace hf {

const std::string& Blackboard::output(SubtaskId id) const {
  static const std::string kNone;
  return index_of(id) < outputs.size() ? outputs[index_of(id)] : kNone;
}

void Blackboard::set_output(SubtaskId id, std::string text) {
  if (outputs.size() <= index_of(id)) outputs.resize(index_of(id) + 1);
  outputs[index_of(id)] = std::move(text);
}

std::vector<ChatMessage> prompt_of(const Blackboard& board, const StartCall& call) {
  const std::string& question = board.query.question;
  std::vector<PromptInput> inputs;
  inputs.reserve(call.inputs.size());
  for (const SubtaskId input : call.inputs) {
    const PlannedStep& step = board.steps[index_of(input)];
    inputs.push_back({.label = step.label, .task = step.task, .output = board.output(input)});
  }
  switch (call.prompt) {
    case Prompt::kPlan:
      return plan_prompt(question, "");
    case Prompt::kReplan:
      return plan_prompt(question, board.plan_end.fault);
    case Prompt::kSubtask:
      return subtask_prompt(question, inputs, board.steps[index_of(call.subtask)].task);
    case Prompt::kSink:
      return sink_prompt(question, inputs, board.steps[index_of(call.subtask)].task);
    case Prompt::kWhole:
      return whole_prompt(question);
  }
  return {};
}

}  // namespace hf
