// The texts of one query: the question, the plan as written, the outputs of its subtasks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/chat.h"
#include "plan/plan_reader.h"
#include "runtime/runtime.h"
#include "schedule/event.h"

namespace hf {

struct Blackboard {
  UserQuery query;
  std::string context;  // Of a chat: what was said before the question, see chat_context.
  QueryListener* listener = nullptr;
  GateVerdict gate;
  bool asks_for_result = false;      // A number or a choice, as far as the question shows.
  std::optional<PlanReader> reader;  // Of the planner call that runs now.
  bool plan_ended = false;
  std::uint32_t plan_tries = 0;
  std::string plan_source = "none";
  PlanEnd plan_end;  // Of the latest plan; its fault is for the next try.
  std::vector<PlannedStep> steps;
  std::vector<std::string> repairs;
  std::vector<std::string> outputs;   // By SubtaskId.
  std::vector<std::string> attempts;  // The same way; those that were looked at.
  std::string answer;                 // What was forwarded of the sink's text.
  std::optional<CallId> answer_call;  // The call whose text `answer` is.

  [[nodiscard]] const std::string& output(SubtaskId id) const;
  void set_output(SubtaskId id, std::string text);
  void set_attempt(SubtaskId id, std::string text);
};

// The messages of a call.
std::vector<ChatMessage> prompt_of(const Blackboard& board, const StartCall& call);

}  // namespace hf
