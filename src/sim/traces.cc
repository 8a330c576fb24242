#include "sim/traces.h"

#include <algorithm>

#include "base/assert.h"
#include "base/number.h"
#include "sim/embedded.h"

namespace hf::sim {
namespace {

// Takes what is before `by` off the front of `rest`, together with it.
std::string_view take(std::string_view& rest, char by) {
  const std::size_t end = std::min(rest.find(by), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// The data is part of the program: that it is well-formed is an invariant.
std::uint32_t whole(std::string_view text) {
  const auto value = parse_number<std::uint32_t>(text);
  HF_ASSERT(value);
  return *value;
}

Duration microseconds(std::string_view text) {
  return std::chrono::microseconds(whole(text));
}

// Calls `row(line)` for each line after the headings.
template <class Row>
void each_row(std::string_view csv, const Row& row) {
  take(csv, '\n');
  while (!csv.empty()) row(take(csv, '\n'));
}

}  // namespace

std::vector<Latency> recorded_latencies(std::string_view provider_model) {
  std::vector<Latency> found;
  each_row(embedded_llmperf(), [&](std::string_view row) {
    if (take(row, ',') != provider_model) return;
    const Duration first = microseconds(take(row, ','));
    found.push_back({.first_token = first, .inter_token = microseconds(row)});
  });
  return found;
}

std::vector<std::string_view> recorded_providers() {
  std::vector<std::string_view> names;
  each_row(embedded_llmperf(), [&](std::string_view row) {
    const std::string_view name = take(row, ',');
    if (names.empty() || names.back() != name) names.push_back(name);
  });
  return names;
}

std::vector<RecordedArrival> recorded_arrivals(std::string_view name) {
  std::vector<RecordedArrival> found;
  if (name != "azure-code" && name != "azure-conv") return found;
  each_row(name == "azure-code" ? embedded_azure_code() : embedded_azure_conv(),
           [&](std::string_view row) {
             const Duration gap = microseconds(take(row, ','));
             const std::uint32_t context = whole(take(row, ','));
             found.push_back({gap, context, whole(row)});
           });
  return found;
}

std::vector<RecordedGraph> recorded_graphs() {
  std::vector<RecordedGraph> found;
  each_row(embedded_asynchow(), [&](std::string_view row) {
    RecordedGraph& graph = found.emplace_back();
    std::string_view durations = take(row, ',');
    while (!durations.empty()) graph.seconds.push_back(whole(take(durations, ' ')));
    graph.inputs.resize(graph.seconds.size());
    while (!row.empty()) {
      std::string_view edge = take(row, ' ');
      const auto from = static_cast<SubtaskId>(whole(take(edge, '-')));
      graph.inputs.at(whole(edge)).push_back(from);
    }
  });
  return found;
}

}  // namespace hf::sim
