// Goal: a process spends from the store only what it has leased, loses nothing of it, and says
// plainly when there is nothing left or the store fails.
// Method: real stores in a scratch folder; two leases stand for two processes.
#include "runtime/budget_leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hf {
namespace {

using testing::HasSubstr;

class BudgetLeasesTest : public testing::Test {
 protected:
  BudgetLeasesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hf-lease-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ledger_.path = folder_ / "ledger.db";
    ledger_.scope = "team";
    ledger_.scopes = {
        {.name = "team",
         .parent = {},
         .limits = {.usd = PicoUsd(1000), .cloud_tokens = Tokens(500), .deadline = {}}}};
  }
  ~BudgetLeasesTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<BudgetLeases> open() {
    auto lease = BudgetLeases::open(ledger_, "");
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

TEST_F(BudgetLeasesTest, GivesAtLeastWhatIsNeededAndNotAll) {
  const auto lease = open();
  const BudgetChanged changed = lease->want({}, kCall);
  EXPECT_FALSE(changed.refusal);
  EXPECT_GE(*changed.limits.usd, kCall.usd);
  EXPECT_LT(*changed.limits.usd, PicoUsd(1000));
  EXPECT_GE(*changed.limits.cloud_tokens, kCall.cloud_tokens);
}

TEST_F(BudgetLeasesTest, WhatIsNotUsedReturnsAtTheEnd) {
  {
    const auto lease = open();
    static_cast<void>(lease->want({}, kCall));
    ASSERT_TRUE(lease->started({}, CallId{1}, kCall).has_value());
    lease->booked({}, CallId{1}, {PicoUsd(30), Tokens(10)});
  }
  EXPECT_EQ(spent(), (Amounts{PicoUsd(30), Tokens(10)}));
  const auto whole = open()->want({}, {PicoUsd(970), Tokens(490)});
  EXPECT_FALSE(whole.refusal);
}

TEST_F(BudgetLeasesTest, ACallThatIsOpenAtTheEndIsBookedAtItsWorst) {
  {
    const auto lease = open();
    static_cast<void>(lease->want({}, kCall));
    ASSERT_TRUE(lease->started({}, CallId{1}, kCall).has_value());
  }
  EXPECT_EQ(spent(), kCall);
}

TEST_F(BudgetLeasesTest, UsesTheLastCentByCountingWhatIsFree) {
  const auto lease = open();
  Amounts used;
  // Ten calls of 100 use 1,000 of 1,000 whatever the slices were.
  for (std::uint64_t i = 1; i <= 10; ++i) {
    ASSERT_FALSE(lease->want({}, kCall).refusal) << i;
    ASSERT_TRUE(lease->started({}, CallId{i}, kCall).has_value());
    lease->booked({}, CallId{i}, kCall);
    used += kCall;
  }
  EXPECT_EQ(used.usd, PicoUsd(1000));
  EXPECT_TRUE(lease->want({}, kCall).refusal);
}

TEST_F(BudgetLeasesTest, RefusalNamesTheScope) {
  const auto lease = open();
  const BudgetChanged changed = lease->want({}, {PicoUsd(1001), Tokens(0)});
  ASSERT_TRUE(changed.refusal);
  EXPECT_EQ(changed.refusal->scope, "team");
  EXPECT_EQ(changed.refusal->axis, Axis::kUsd);
  EXPECT_EQ(changed.refusal->limit, 1000);
}

TEST_F(BudgetLeasesTest, TwoProcessesNeverGetMoreThanThereIs) {
  const auto first = open();
  const auto second = open();
  PicoUsd given;
  for (BudgetLeases* lease : {first.get(), second.get()}) {
    for (std::uint64_t i = 1; i <= 10; ++i) {
      if (lease->want({}, kCall).refusal) break;
      ASSERT_TRUE(lease->started({}, CallId{i}, kCall).has_value());
      given += kCall.usd;
    }
  }
  EXPECT_LE(given, PicoUsd(1000));
  EXPECT_GE(given, PicoUsd(900));
}

TEST_F(BudgetLeasesTest, NothingIsAskedOfTheStoreForAFreeCall) {
  const auto lease = open();
  EXPECT_TRUE(lease->started({}, CallId{1}, {}).has_value());
  lease->booked({}, CallId{1}, {});
}

TEST_F(BudgetLeasesTest, ACallWithoutALeaseIsRefused) {
  EXPECT_FALSE(open()->started({}, CallId{1}, kCall).has_value());
}

TEST_F(BudgetLeasesTest, EachAccountIsPaidFromItsOwnScope) {
  const auto lease = open();
  constexpr AccountId kKey{7};
  EXPECT_FALSE(lease->pays(kKey));
  const Budget limits{.usd = PicoUsd(150), .cloud_tokens = Tokens(100), .deadline = {}};
  ASSERT_TRUE(lease->pay_from(kKey, {.name = "key", .parent = "team", .limits = limits}));
  ASSERT_TRUE(lease->pays(kKey));
  EXPECT_FALSE(lease->want(kKey, kCall).refusal);
  ASSERT_TRUE(lease->started(kKey, CallId{1}, kCall).has_value());
  lease->booked(kKey, CallId{1}, kCall);
  const BudgetChanged refused = lease->want(kKey, kCall);
  EXPECT_EQ(refused.account, kKey);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->scope, "key");
  EXPECT_FALSE(lease->want({}, kCall).refusal);  // The team has more.
}

TEST_F(BudgetLeasesTest, AClosedAccountGivesBackWhatItDidNotUse) {
  const auto lease = open();
  constexpr AccountId kKey{7};
  ASSERT_TRUE(lease->pay_from(kKey, {.name = "key", .parent = "team", .limits = {}}));
  static_cast<void>(lease->want(kKey, {PicoUsd(900), Tokens(400)}));
  lease->close(kKey);
  EXPECT_FALSE(lease->pays(kKey));
  EXPECT_FALSE(lease->want({}, {PicoUsd(1000), Tokens(500)}).refusal);
}

TEST_F(BudgetLeasesTest, ADamagedStoreIsRefusedAtTheStart) {
  std::ofstream(ledger_.path) << "this is no database, however long one looks at it";
  const auto lease = BudgetLeases::open(ledger_, "");
  ASSERT_FALSE(lease.has_value());
  EXPECT_THAT(lease.error().message, HasSubstr("ledger.db"));
}

TEST_F(BudgetLeasesTest, AStoreThatFailsIsARefusalWithItsTrouble) {
  ledger_.scope = "nobody";
  const auto lease = open();
  const BudgetChanged changed = lease->want({}, kCall);
  ASSERT_TRUE(changed.refusal);
  EXPECT_THAT(changed.refusal->trouble, HasSubstr("the budget cannot be used"));
  EXPECT_EQ(*changed.limits.usd, PicoUsd(0));
}

}  // namespace
}  // namespace hf
