// Goal: threads are given up when other programs take the cores, and tried again later.
// Method: made-up step times.
#include "engine/thread_gauge.h"

#include <gtest/gtest.h>

namespace hf::engine {
namespace {

using namespace std::chrono_literals;

void good(ThreadGauge& gauge, std::size_t threads) {
  gauge.record(threads, 10ms, 10ms * threads);
}
void bad(ThreadGauge& gauge, std::size_t threads) {
  gauge.record(threads, 10ms, 5ms * threads);
}

TEST(ThreadGauge, AllThreadsAreUsedWhileTheyAreBusy) {
  ThreadGauge gauge;
  for (int i = 0; i < 100; ++i) good(gauge, 4);
  EXPECT_EQ(gauge.threads(4), 4U);
}

TEST(ThreadGauge, OneBadStepChangesNothing) {
  ThreadGauge gauge;
  for (int i = 0; i < 20; ++i) {
    bad(gauge, 2);
    bad(gauge, 2);
    good(gauge, 2);
  }
  EXPECT_EQ(gauge.threads(2), 2U);
}

TEST(ThreadGauge, BadStepsInARowHalveTheThreadsForAWhile) {
  ThreadGauge gauge;
  for (int i = 0; i < 3; ++i) bad(gauge, 4);
  EXPECT_EQ(gauge.threads(4), 2U);
  EXPECT_EQ(gauge.threads(1), 1U);
  int steps = 0;
  while (gauge.threads(4) == 2) {
    good(gauge, 2);
    ++steps;
  }
  EXPECT_EQ(steps, 32);
}

TEST(ThreadGauge, TryingAgainInVainWaitsLongerAndSuccessForgives) {
  ThreadGauge gauge;
  const auto pause_after_trouble = [&gauge] {
    for (int i = 0; i < 3; ++i) bad(gauge, 2);
    int steps = 0;
    for (; gauge.threads(2) == 1; ++steps) good(gauge, 1);
    return steps;
  };
  EXPECT_EQ(pause_after_trouble(), 32);
  EXPECT_EQ(pause_after_trouble(), 64);
  EXPECT_EQ(pause_after_trouble(), 128);
  for (int i = 0; i < 40; ++i) good(gauge, 2);
  EXPECT_EQ(pause_after_trouble(), 32);
  for (int i = 0; i < 10; ++i) static_cast<void>(pause_after_trouble());
  EXPECT_EQ(pause_after_trouble(), 512);
}

TEST(ThreadGauge, OneThreadIsNeverGivenUp) {
  ThreadGauge gauge;
  for (int i = 0; i < 10; ++i) bad(gauge, 1);
  EXPECT_EQ(gauge.threads(2), 2U);
}

}  // namespace
}  // namespace hf::engine
