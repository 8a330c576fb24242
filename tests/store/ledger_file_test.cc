// Goal: the ledger's file works without threads and without a disk, and asks who it is told to ask
// whether an owner lives. Method: one in memory.
#include "store/ledger_file.h"

#include <gtest/gtest.h>

#include "scratch.h"
#include "store/schema.h"

namespace hf::store {
namespace {

TEST(LedgerFile, InMemoryOutlivesItsProcessesAndReconcilesTheDeadOnes) {
  auto database = open_ledger_in_memory();
  ASSERT_TRUE(database) << database.error().message;
  const Owner first{.pid = 1, .boot = "virtual", .pid_space = {}};
  const Owner second{.pid = 2, .boot = "virtual", .pid_space = {}};
  LedgerFile file(
      std::move(*database), {.state_of = [&](const Owner& owner) {
        return Result<OwnerState>(owner == first ? OwnerState::kDead : OwnerState::kAlive);
      }});
  ASSERT_TRUE(file.define({.name = "process", .parent = {}, .limits = limits(100)}));
  const auto lease = file.take(first, "process", of(40), of(40));
  ASSERT_TRUE(lease && *lease);
  Batch batch;
  batch[(*lease)->id].opened.emplace(CallId{1}, of(8));
  ASSERT_TRUE(file.write(batch));
  ASSERT_TRUE(file.take(second, "process", of(60), of(60)));
  EXPECT_TRUE(file.check());
  EXPECT_EQ(file.left("process")->usd, PicoUsd(0));

  const auto resolved = file.reconcile(Resolve::kDead);
  ASSERT_TRUE(resolved);
  ASSERT_EQ(resolved->size(), 1U);
  EXPECT_EQ(resolved->front().booked, of(18));  // The open call and the window of a quarter.
  EXPECT_EQ(resolved->front().returned, of(22));
  const auto report = file.report();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->scopes.front().spent, of(18));
  EXPECT_EQ(report->scopes.front().leased, of(60));
  ASSERT_EQ(report->leases.size(), 1U);
  EXPECT_EQ(report->leases.front().lease.owner, second);
}

}  // namespace
}  // namespace hf::store
