// Any bytes: the plan reader gives the same however they are cut, and always a valid graph.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/utf8.h"
#include "plan/render.h"
#include "plan_text.h"

namespace {

using namespace hf;

void check(const ReadPlan& plan, std::uint32_t max_steps) {
  HF_ASSERT(plan.steps.size() <= max_steps);
  HF_ASSERT(plan.end.sink.has_value() == !plan.steps.empty());
  HF_ASSERT(plan.steps.size() == plan.released.size() + plan.at_end.size());
  HF_ASSERT(plan.repairs.size() <= 64);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    HF_ASSERT(index_of(step.id) == i && !step.task.empty() && !step.label.empty());
    HF_ASSERT(is_utf8(step.task) && is_utf8(step.label));
    for (const SubtaskId input : step.subtask.relies_on) HF_ASSERT(input < step.id);
  }
  if (!plan.end.sink) return;
  std::vector<bool> reaches(plan.steps.size());
  reaches[index_of(*plan.end.sink)] = true;
  for (std::size_t i = plan.steps.size(); i-- > 0;) {
    const bool is_pruned = std::find(plan.end.pruned.begin(), plan.end.pruned.end(),
                                     plan.steps[i].id) != plan.end.pruned.end();
    HF_ASSERT(reaches[i] != is_pruned);
    if (!reaches[i]) continue;
    for (const SubtaskId input : plan.steps[i].subtask.relies_on) reaches[index_of(input)] = true;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::uint32_t max_steps = size == 0 ? 7 : 1 + data[size - 1] % 8U;
  const PlanReader::Options options{.max_steps = max_steps, .plan_bytes_max = 2000};
  const ReadPlan whole = read_plan(text, 0, options);
  check(whole, max_steps);
  HF_ASSERT(everything(read_plan(text, 1, options)) == everything(whole));
  HF_ASSERT(everything(read_plan(text, 1 + size / 3, options)) == everything(whole));
  HF_ASSERT(is_utf8(render_svg(whole.steps, whole.end)));
  HF_ASSERT(is_utf8(render_text(whole.steps, whole.end)));
  return 0;
}
