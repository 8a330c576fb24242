// Any bytes: a flow is refused with a sentence, or read so that it can be run.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "sim/flow.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hf;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto flow = sim::parse_flow(text);
  if (!flow) {
    HF_ASSERT(flow.error().message.ends_with("."));
    return 0;
  }
  HF_ASSERT(flow->input + flow->expected == text);
  HF_ASSERT(index_of(flow->world.options.planner) < flow->world.endpoints.size());
  for (const sim::QueryScript& query : flow->world.queries) {
    HF_ASSERT(!query.plan || !query.plans.empty());
    for (const sim::PlanScript& plan : query.plans) {
      for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        for (const SubtaskId input : plan.steps[i].subtask.relies_on) {
          HF_ASSERT(index_of(input) < i);
        }
      }
      HF_ASSERT(!plan.sink || index_of(*plan.sink) < plan.steps.size());
    }
  }
  return 0;
}
