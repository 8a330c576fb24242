#include "runtime/scheduler_options.h"

#include "plan/prompts.h"

namespace hf {

Scheduler::Options scheduler_options(const Config& config) {
  Scheduler::Options options;
  for (const EndpointConfig& endpoint : config.endpoints)
    options.endpoints.push_back(endpoint.endpoint);
  options.planner = config.planner;
  options.process = config.process_budget;
  options.retry.attempts_max = config.attempts_max;
  options.hedge = config.hedge;
  if (config.ledger && !config.ledger->scope.empty()) {
    options.is_process_leased = true;
    options.process = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}};
  }
  options.plan_max_tokens = config.plan_tokens_max;
  options.subtask_max_tokens = config.subtask_tokens_max;
  options.sink_max_tokens = config.answer_tokens_max;
  options.prompt_overhead_bytes = kPromptOverheadBytes;
  options.input_overhead_bytes = kInputOverheadBytes;
  options.plan_overhead_bytes = kPlanOverheadBytes;
  return options;
}

}  // namespace hf
