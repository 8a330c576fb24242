// Every prompt of the program, in one place, and the grammar of plans.
//
// Prompts are laid out so that siblings share the longest prefix: fixed instructions, then the
// question, then results of the direct inputs in id order, then the task.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "model/chat.h"

namespace hf {

// Asks for a plan. `fault` names what was wrong with the first try; empty on the first.
std::vector<ChatMessage> plan_prompt(std::string_view question, std::string_view fault);

// GBNF of a plan of 3 to `max_steps` steps (2 if that is the maximum; at most 32) in which a step
// may rely on earlier ids only, the first step is the only one of role explain and the last the
// only one of role generate.
std::string plan_grammar(std::uint32_t max_steps);

struct PromptInput {
  std::string_view label;
  std::string_view task;
  std::string_view output;
};

// Asks for one subtask. `inputs` are the results of the direct inputs that are done, in id order.
std::vector<ChatMessage> subtask_prompt(std::string_view question,
                                        std::span<const PromptInput> inputs, std::string_view task);
// Asks for the answer to the question itself, given the results.
std::vector<ChatMessage> sink_prompt(std::string_view question, std::span<const PromptInput> inputs,
                                     std::string_view task);
// The question as it came, with a fixed instruction on form.
std::vector<ChatMessage> whole_prompt(std::string_view question);

// Bounds for reservations: the bytes of any prompt above besides question, inputs and task (chat
// template marks included), and the bytes around one input. Tests hold the prompts to them.
inline constexpr std::uint32_t kPromptOverheadBytes = 1280;
inline constexpr std::uint32_t kInputOverheadBytes = 64;
inline constexpr std::uint32_t kPlanOverheadBytes = 4096;

}  // namespace hf
