#include "runtime/blackboard.h"

#include <utility>

#include "plan/prompts.h"

namespace hf {

const std::string& Blackboard::output(SubtaskId id) const {
  static const std::string kNone;
  return index_of(id) < outputs.size() ? outputs[index_of(id)] : kNone;
}

namespace {

void set(std::vector<std::string>& texts, SubtaskId id, std::string text) {
  if (texts.size() <= index_of(id)) texts.resize(index_of(id) + 1);
  texts[index_of(id)] = std::move(text);
}

}  // namespace

void Blackboard::set_output(SubtaskId id, std::string text) {
  set(outputs, id, std::move(text));
}

void Blackboard::set_attempt(SubtaskId id, std::string text) {
  set(attempts, id, std::move(text));
}

namespace {

std::vector<ChatMessage> prompt_without_context(const Blackboard& board, const StartCall& call) {
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
      return board.query.messages.empty() ? whole_prompt(question) : board.query.messages;
  }
  return {};
}

}  // namespace

std::vector<ChatMessage> prompt_of(const Blackboard& board, const StartCall& call) {
  std::vector<ChatMessage> messages = prompt_without_context(board, call);
  if (call.prompt != Prompt::kWhole) messages.back().content.insert(0, board.context);
  return messages;
}

}  // namespace hf
