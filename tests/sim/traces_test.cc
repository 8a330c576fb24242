// Goal: the recorded data is all there and well-formed.
// Method: counts as the publishers give them, order and shape of every record.
#include "sim/traces.h"

#include <gtest/gtest.h>

namespace hf::sim {
namespace {

TEST(Traces, HoldTheLatenciesOfAllProviders) {
  EXPECT_EQ(recorded_providers().size(), 19U);
  std::size_t all = 0;
  for (const std::string_view provider : recorded_providers()) {
    for (const Latency& latency : recorded_latencies(provider)) {
      ++all;
      EXPECT_GT(latency.first_token, Duration(0));
      EXPECT_LT(latency.inter_token, std::chrono::seconds(10));
    }
  }
  EXPECT_EQ(all, 2306U);
  EXPECT_TRUE(recorded_latencies("nobody_7b").empty());
}

TEST(Traces, HoldTheArrivals) {
  EXPECT_EQ(recorded_arrivals("azure-code").size(), 8819U);
  EXPECT_EQ(recorded_arrivals("azure-conv").size(), 19366U);
  EXPECT_EQ(recorded_arrivals("azure-conv")[1].gap, std::chrono::microseconds(4'314'579));
  EXPECT_EQ(recorded_arrivals("azure-conv")[1].context_tokens, 396U);
  EXPECT_EQ(recorded_arrivals("azure-conv")[1].generated_tokens, 109U);
  EXPECT_TRUE(recorded_arrivals("monday").empty());
}

TEST(Traces, HoldGraphsWhoseInputsAllComeBefore) {
  const auto graphs = recorded_graphs();
  EXPECT_EQ(graphs.size(), 1598U);
  for (const RecordedGraph& graph : graphs) {
    ASSERT_EQ(graph.inputs.size(), graph.seconds.size());
    ASSERT_FALSE(graph.inputs.empty());
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      for (const SubtaskId input : graph.inputs[i]) EXPECT_LT(index_of(input), i);
    }
  }
}

}  // namespace
}  // namespace hf::sim
