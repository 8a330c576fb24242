// Goal: another program's end and words arrive exactly, however it ends.
// Method: small shell programs.
#include "catalogue/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hf {
namespace {

ProcessEnd shell(const std::string& program) {
  const auto end = run_process({"/bin/sh", "-c", program}, [] {});
  EXPECT_TRUE(end);
  return end.value_or(ProcessEnd{});
}

TEST(RunProcess, KeepsStatusAndBothOutputs) {
  const ProcessEnd end = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(end.status, 7);
  EXPECT_EQ(end.output, "out\nerr\n");
}

TEST(RunProcess, TellsASignalFromAStatus) {
  EXPECT_EQ(shell("kill -9 $$").status, 128 + 9);
}

TEST(RunProcess, AMissingProgramIs127) {
  const auto end = run_process({"/nowhere/program"}, [] {});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->status, 127);
}

TEST(RunProcess, KeepsOnlyTheEndOfALongOutput) {
  const ProcessEnd end = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo last");
  EXPECT_LE(end.output.size(), 40000U);
  EXPECT_THAT(end.output, ::testing::EndsWith("xlast\n"));
}

TEST(RunProcess, GivesNoInput) {
  EXPECT_EQ(shell("cat; echo done").output, "done\n");
}

TEST(RunProcess, PassesWordsThroughUntouched) {
  const auto end = run_process({"/bin/echo", "a b", "$HOME", "'"}, [] {});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->output, "a b $HOME '\n");
}

TEST(RunProcess, TicksWhileTheProgramRuns) {
  int ticks = 0;
  ASSERT_TRUE(run_process({"/bin/echo", "x"}, [&] { ++ticks; }));
  EXPECT_GT(ticks, 0);
}

}  // namespace
}  // namespace hf
