// Recorded latencies, arrivals and graphs (data/traces; THIRD_PARTY.md says whose they are).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "model/subtask.h"

namespace hf::sim {

// One measured call.
struct Latency {
  Duration first_token{};
  Duration inter_token{};
};
// Of one provider and model, for example "together_70b"; empty if there is no such record.
[[nodiscard]] std::vector<Latency> recorded_latencies(std::string_view provider_model);
[[nodiscard]] std::vector<std::string_view> recorded_providers();

// One request of a recorded service.
struct RecordedArrival {
  Duration gap{};  // Since the one before.
  std::uint32_t context_tokens = 0;
  std::uint32_t generated_tokens = 0;
};
// "azure-code" or "azure-conv"; empty for any other name.
[[nodiscard]] std::vector<RecordedArrival> recorded_arrivals(std::string_view name);

// One plan: the inputs of each step, all of them earlier ones, and how long each took.
struct RecordedGraph {
  std::vector<std::vector<SubtaskId>> inputs;
  std::vector<std::uint32_t> seconds;
};
[[nodiscard]] std::vector<RecordedGraph> recorded_graphs();

}  // namespace hf::sim
