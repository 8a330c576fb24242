#include "runtime/chat_request.h"

#include <string>

#include "base/rng.h"
#include "plan/prompts.h"

namespace hf {

wire::ChatRequest request_of(const Blackboard& board, const StartCall& call,
                             const EndpointConfig& endpoint, std::uint32_t plan_steps_max) {
  constexpr std::uint64_t kSeedBits = 0x7FFFFFFF;  // Some servers take no more.
  const bool is_plan = call.kind == CallKind::kPlanner;
  wire::ChatRequest request;
  request.model = endpoint.model;
  request.messages = prompt_of(board, call);
  request.stream = true;
  request.include_usage = true;
  request.max_tokens = call.max_tokens;
  request.temperature = endpoint.temperature.value_or(call.prompt == Prompt::kReplan ? 0.7 : 0.0);
  request.seed = mix(board.query.seed ^ mix(static_cast<std::uint64_t>(call.call))) & kSeedBits;
  if (endpoint.engine) request.priority = call.priority;
  if (endpoint.asks_logprobs && !is_plan) {
    request.logprobs = true;
    request.top_logprobs = 2;
  }
  if (is_plan && endpoint.accepts_grammar) {
    request.grammar = plan_grammar(plan_steps_max);
  } else if (is_plan) {
    request.stop = {std::string(kPlanEndTag)};
  }
  if (call.prompt == Prompt::kSink || call.prompt == Prompt::kWhole) {
    const AnswerStyle& style = board.query.style;
    if (style.temperature) request.temperature = style.temperature;
    if (style.seed) request.seed = *style.seed & kSeedBits;
    request.top_p = style.top_p;
    request.stop = style.stop;
  }
  return request;
}

}  // namespace hf
