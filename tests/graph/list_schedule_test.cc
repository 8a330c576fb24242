// Goal: the forward simulation ends when a list schedule ends.
// Method: small cases by hand; bounds that hold for every list schedule, on random graphs; no edge
// place is ever one too many, seen by a slow simulation that steps from event to event.
#include "graph/list_schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

namespace hf {
namespace {

using std::chrono::seconds;

Graph graph_of(const std::vector<std::vector<std::uint32_t>>& inputs) {
  Graph graph;
  for (const auto& each : inputs) {
    Subtask subtask;
    for (const std::uint32_t id : each) subtask.relies_on.push_back(SubtaskId(id));
    graph.add(subtask);
  }
  return graph;
}

std::vector<StepTime> steps_of(const std::vector<int>& times) {
  std::vector<StepTime> steps;
  for (const int time : times) steps.push_back({.time = seconds(time)});
  return steps;
}

Duration end_of(const Graph& graph, const std::vector<StepTime>& steps, std::uint32_t places,
                std::vector<Duration> priorities = {}) {
  priorities.resize(graph.size());
  return ListSchedule().makespan(graph, steps, priorities, places);
}

TEST(ListSchedule, AddsUpAChain) {
  EXPECT_EQ(end_of(graph_of({{}, {0}, {1}}), steps_of({1, 2, 3}), 4), seconds(6));
}

TEST(ListSchedule, SharesTheEdgePlacesOfSiblings) {
  const Graph siblings = graph_of({{}, {}, {}, {0, 1, 2}});
  EXPECT_EQ(end_of(siblings, steps_of({2, 2, 2, 1}), 3), seconds(3));
  EXPECT_EQ(end_of(siblings, steps_of({2, 2, 2, 1}), 1), seconds(7));
}

TEST(ListSchedule, TheCloudHasNoQueue) {
  auto steps = steps_of({2, 2, 2, 1});
  for (StepTime& step : steps) step.is_on_edge = false;
  EXPECT_EQ(end_of(graph_of({{}, {}, {}, {0, 1, 2}}), steps, 1), seconds(3));
}

TEST(ListSchedule, StartsTheHigherPriorityFirst) {
  // The long way (2 -> 3) begins with step 2; started last it ends the query later.
  const Graph graph = graph_of({{}, {}, {}, {2}});
  auto steps = steps_of({2, 2, 2, 5});
  EXPECT_EQ(end_of(graph, steps, 1, {seconds(0), seconds(0), seconds(9), seconds(5)}), seconds(11));
  steps[3].is_on_edge = false;
  EXPECT_EQ(end_of(graph, steps, 1, {seconds(0), seconds(0), seconds(9), seconds(5)}), seconds(7));
  EXPECT_EQ(end_of(graph, steps, 1, {seconds(9), seconds(9), seconds(0), seconds(5)}), seconds(11));
}

TEST(ListSchedule, WhatIsOverTakesNothingAndWhatRunsHoldsItsPlace) {
  const Graph graph = graph_of({{}, {}, {0}});
  auto steps = steps_of({7, 3, 2});
  steps[0].is_over = true;
  EXPECT_EQ(end_of(graph, steps, 2), seconds(3));
  steps[1].is_running = true;
  EXPECT_EQ(end_of(graph, steps, 1), seconds(5));
}

TEST(ListSchedule, ManyMoreRunningThanPlacesAllEndFirst) {
  const Graph graph = graph_of({{}, {}, {}});
  auto steps = steps_of({4, 6, 1});
  steps[0].is_running = steps[1].is_running = true;
  EXPECT_EQ(end_of(graph, steps, 1), seconds(7)) << "step 2 must wait for both";
}

TEST(ListSchedule, NothingLeftEndsNow) {
  const Graph graph = graph_of({{}});
  auto steps = steps_of({4});
  steps[0].is_over = true;
  EXPECT_EQ(end_of(graph, steps, 1), seconds(0));
  EXPECT_EQ(end_of(graph_of({}), {}, 1), seconds(0));
}

RC_GTEST_PROP(ListSchedule, LiesBetweenTheBoundsOfGraham, ()) {
  const auto size = *rc::gen::inRange<std::uint32_t>(1, 10);
  const auto places = *rc::gen::inRange<std::uint32_t>(1, 4);
  std::vector<std::vector<std::uint32_t>> inputs(size);
  std::vector<int> times;
  for (std::uint32_t i = 0; i < size; ++i) {
    for (std::uint32_t j = 0; j < i; ++j) {
      if (*rc::gen::inRange(0, 3) == 0) inputs[i].push_back(j);
    }
    times.push_back(*rc::gen::inRange(0, 20));
  }
  const Graph graph = graph_of(inputs);
  std::vector<Duration> ends(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    for (const std::uint32_t j : inputs[i]) ends[i] = std::max(ends[i], ends[j]);
    ends[i] += seconds(times[i]);
  }
  const Duration critical = *std::ranges::max_element(ends);
  const Duration work = seconds(std::accumulate(times.begin(), times.end(), 0));
  const Duration end = end_of(graph, steps_of(times), places);
  RC_ASSERT(end >= critical);
  RC_ASSERT(end * places >= work);
  RC_ASSERT(end * places <= work + critical * (places - 1));
}

}  // namespace
}  // namespace hf
