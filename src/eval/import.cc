#include "eval/import.h"

#include <algorithm>
#include <utility>

namespace hf::eval {
namespace {

constexpr std::int64_t kCharactersPerToken = 4;

double seconds_for(Tokens tokens, double per_second) {
  return per_second > 0 ? static_cast<double>(tokens.count()) / per_second : 0;
}

}  // namespace

Tokens tokens_of(std::int64_t characters) {
  return Tokens(
      std::max<std::int64_t>(1, (characters + kCharactersPerToken - 1) / kCharactersPerToken));
}

ArmOutcome arm_of(RecordedAnswer answer, std::size_t prompt_bytes, const ImportOptions& options) {
  ArmOutcome arm;
  arm.endpoint = std::move(answer.model);
  arm.tier = answer.tier;
  arm.correct = answer.correct;
  arm.prompt = tokens_of(static_cast<std::int64_t>(prompt_bytes));
  arm.completion = answer.completion;
  arm.output = std::move(answer.output);
  if (arm.tier == Tier::kCloud) {
    arm.usd = options.cloud_price.prompt * arm.prompt.count() +
              options.cloud_price.completion * arm.completion.count();
  }
  const SpeedModel& speed = arm.tier == Tier::kCloud ? options.cloud : options.edge;
  arm.seconds = speed.first_seconds + seconds_for(arm.prompt, speed.prompt_tokens_per_second) +
                seconds_for(arm.completion, speed.completion_tokens_per_second);
  return arm;
}

}  // namespace hf::eval
