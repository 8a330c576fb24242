// Any bytes: a world is refused with its place in the file, or it runs and breaks no rule.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "sim/sweep.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hf::sim;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto world = read_world(text, "file");
  if (!world) {
    HF_ASSERT(world.error().message.starts_with("file:"));
    return 0;
  }
  const ArrivalModel& arrivals = world->arrivals;
  if (std::uint64_t{arrivals.users} * arrivals.queries > 12) return 0;
  for (const std::string& violation : run_seed(*world, size, {}).violations) {
    // A world may be so slow that it is given up.
    HF_ASSERT(violation.ends_with("does not come to an end") ||
              violation.ends_with("never finished") || violation.ends_with("held at the end"));
  }
  return 0;
}
