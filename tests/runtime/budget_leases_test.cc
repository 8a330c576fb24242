// Goal: a process spends from the store only what it has leased, loses nothing of it, and says
// plainly when there is nothing left or the store fails.
// Method: real stores in a scratch folder; two leases stand for two processes.
#include "runtime/budget_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hf {
namespace {

using testing::HasSubstr;

class BudgetLeaseTest : public testing::Test {
 protected:
  BudgetLeaseTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hf-lease-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ledger_.path = folder_ / "ledger.db";
    ledger_.scope = "team";
    ledger_.scopes = {
        {.name = "team",
         .parent = {},
         .limits = {.usd = PicoUsd(1000), .cloud_tokens = Tokens(500), .deadline = {}}}};
  }
  ~BudgetLeaseTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<BudgetLease> open() {
    auto lease = BudgetLease::open(ledger_, "");
    EXPECT_TRUE(lease.has_value()) << (lease ? "" : lease.error().message);
    return lease ? *std::move(lease) : nullptr;
  }
  Amounts spent() {
    auto store = *store::LeaseStore::open({.path = ledger_.path, .clock = {}});
    return store->report()->scopes.at(0).spent;
  }

  std::filesystem::path folder_;
  LedgerConfig ledger_;
};

constexpr Amounts kCall{PicoUsd(100), Tokens(50)};

TEST_F(BudgetLeaseTest, GivesAtLeastWhatIsNeededAndNotAll) {
  const auto lease = open();
  const BudgetChanged changed = lease->want(kCall);
  EXPECT_FALSE(changed.refusal);
  EXPECT_GE(*changed.limits.usd, kCall.usd);
  EXPECT_LT(*changed.limits.usd, PicoUsd(1000));
  EXPECT_GE(*changed.limits.cloud_tokens, kCall.cloud_tokens);
}

TEST_F(BudgetLeaseTest, WhatIsNotUsedReturnsAtTheEnd) {
  {
    const auto lease = open();
    static_cast<void>(lease->want(kCall));
    ASSERT_TRUE(lease->started(CallId{1}, kCall).has_value());
    lease->booked(CallId{1}, {PicoUsd(30), Tokens(10)});
  }
  EXPECT_EQ(spent(), (Amounts{PicoUsd(30), Tokens(10)}));
  const auto whole = open()->want({PicoUsd(970), Tokens(490)});
  EXPECT_FALSE(whole.refusal);
}

TEST_F(BudgetLeaseTest, ACallThatIsOpenAtTheEndIsBookedAtItsWorst) {
  {
    const auto lease = open();
    static_cast<void>(lease->want(kCall));
    ASSERT_TRUE(lease->started(CallId{1}, kCall).has_value());
  }
  EXPECT_EQ(spent(), kCall);
}

TEST_F(BudgetLeaseTest, UsesTheLastCentByCountingWhatIsFree) {
  const auto lease = open();
  Amounts used;
  // Ten calls of 100 use 1,000 of 1,000 whatever the slices were.
  for (std::uint64_t i = 1; i <= 10; ++i) {
    ASSERT_FALSE(lease->want(kCall).refusal) << i;
    ASSERT_TRUE(lease->started(CallId{i}, kCall).has_value());
    lease->booked(CallId{i}, kCall);
    used += kCall;
  }
  EXPECT_EQ(used.usd, PicoUsd(1000));
  EXPECT_TRUE(lease->want(kCall).refusal);
}

TEST_F(BudgetLeaseTest, RefusalNamesTheScope) {
  const auto lease = open();
  const BudgetChanged changed = lease->want({PicoUsd(1001), Tokens(0)});
  ASSERT_TRUE(changed.refusal);
  EXPECT_EQ(changed.refusal->scope, "team");
  EXPECT_EQ(changed.refusal->axis, Axis::kUsd);
  EXPECT_EQ(changed.refusal->limit, 1000);
}

TEST_F(BudgetLeaseTest, TwoProcessesNeverGetMoreThanThereIs) {
  const auto first = open();
  const auto second = open();
  PicoUsd given;
  for (BudgetLease* lease : {first.get(), second.get()}) {
    for (std::uint64_t i = 1; i <= 10; ++i) {
      if (lease->want(kCall).refusal) break;
      ASSERT_TRUE(lease->started(CallId{i}, kCall).has_value());
      given += kCall.usd;
    }
  }
  EXPECT_LE(given, PicoUsd(1000));
  EXPECT_GE(given, PicoUsd(900));
}

TEST_F(BudgetLeaseTest, NothingIsAskedOfTheStoreForAFreeCall) {
  const auto lease = open();
  EXPECT_TRUE(lease->started(CallId{1}, {}).has_value());
  lease->booked(CallId{1}, {});
}

TEST_F(BudgetLeaseTest, ACallWithoutALeaseIsRefused) {
  EXPECT_FALSE(open()->started(CallId{1}, kCall).has_value());
}

TEST_F(BudgetLeaseTest, ADamagedStoreIsRefusedAtTheStart) {
  std::ofstream(ledger_.path) << "this is no database, however long one looks at it";
  const auto lease = BudgetLease::open(ledger_, "");
  ASSERT_FALSE(lease.has_value());
  EXPECT_THAT(lease.error().message, HasSubstr("ledger.db"));
}

TEST_F(BudgetLeaseTest, AStoreThatFailsIsARefusalWithItsTrouble) {
  ledger_.scope = "nobody";
  const auto lease = open();
  const BudgetChanged changed = lease->want(kCall);
  ASSERT_TRUE(changed.refusal);
  EXPECT_THAT(changed.refusal->trouble, HasSubstr("the budget cannot be used"));
  EXPECT_EQ(*changed.limits.usd, PicoUsd(0));
}

}  // namespace
}  // namespace hf
