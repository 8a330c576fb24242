// Any bytes: a plan from a file is refused with a sentence that names the file, or it is a valid
// graph; and what is written of it reads as the same plan.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "wire/plan_json.h"

namespace {

using namespace hf;

constexpr std::uint32_t kStepsMax = 7;

void check(const GivenPlan& plan) {
  HF_ASSERT(!plan.steps.empty() && plan.steps.size() <= kStepsMax);
  HF_ASSERT(plan.end.sink && index_of(*plan.end.sink) < plan.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    HF_ASSERT(index_of(step.id) == i && !step.task.empty() && !step.label.empty());
    HF_ASSERT(is_utf8(step.task) && is_utf8(step.label));
    for (const SubtaskId input : step.subtask.relies_on) HF_ASSERT(input < step.id);
  }
}

std::string written(GivenPlan plan) {
  plan.end.outcome = PlanOutcome::kComplete;  // That markup broke off is not read back.
  return wire::json::serialize(wire::plan_json(plan.steps, plan.end, {}, "file"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto plan = wire::read_plan(text, "file", kStepsMax);
  if (!plan) {
    HF_ASSERT(plan.error().message.contains("file"));
    return 0;
  }
  check(*plan);
  const auto again = wire::read_plan(written(*plan), "file", kStepsMax);
  HF_ASSERT(again.has_value());
  HF_ASSERT(again->steps.size() + plan->end.pruned.size() == plan->steps.size());
  HF_ASSERT(again->end.pruned.empty());
  if (plan->end.pruned.empty()) HF_ASSERT(written(*again) == written(*plan));
  return 0;
}
