// Goal: a lease is given by every scope of the chain or by none, and every cent of it is accounted
// for when it ends, however it ends. Method: a real store in a scratch folder, read back whole.
#include "store/lease_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <limits>

#include "scratch.h"

namespace hf::store {
namespace {

class LeaseStoreTest : public testing::Test {
 protected:
  LeaseStoreTest() {
    EXPECT_TRUE(store->define({"process", std::nullopt, limits(1000, 500)}));
    EXPECT_TRUE(store->define({"key", "process", limits(600, std::nullopt)}));
    EXPECT_TRUE(store->define({"session", "key", limits(400, 400)}));
  }

  Refusal refused(std::string_view scope, const Amounts& least) {
    const auto taken = store->take(scope, least, least);
    EXPECT_TRUE(taken.has_value());
    EXPECT_FALSE(taken->has_value());
    return taken && !*taken ? taken->error() : Refusal{};
  }

  Scratch scratch;
  std::unique_ptr<LeaseStore> store = open_store(scratch.ledger());
};

TEST_F(LeaseStoreTest, ALeaseIsHeldInItsScopeAndInAllAboveAndInNoOther) {
  EXPECT_TRUE(store->define({"sibling", "key", {}}));
  const Lease lease = take_all(*store, "session", of(100, 50));
  EXPECT_EQ(lease.amount, of(100, 50));
  EXPECT_EQ(lease.window, of(25, 12));
  for (const char* name : {"process", "key", "session"}) {
    EXPECT_EQ(scope_of(*store, name).leased, of(100, 50)) << name;
    EXPECT_EQ(scope_of(*store, name).spent, of(0)) << name;
  }
  EXPECT_EQ(scope_of(*store, "sibling").leased, of(0));
}

TEST_F(LeaseStoreTest, TheRefusalNamesTheInnermostScopeTheAxisAndTheNumbers) {
  take_all(*store, "process", of(450, 10));
  take_all(*store, "key", of(150, 0));
  // key has 450 left, process 400, session 400.
  Refusal refusal = refused("session", of(401, 0));
  EXPECT_EQ(refusal.scope, "session");
  EXPECT_EQ(refusal.axis, Axis::kUsd);
  EXPECT_EQ(refusal.limit, 400);
  EXPECT_EQ(refusal.held, 0);
  EXPECT_EQ(refusal.asked, 401);
  EXPECT_FALSE(refusal.may_fit_later());

  refusal = refused("key", of(420, 0));
  EXPECT_EQ(refusal.scope, "process");
  EXPECT_EQ(refusal.held, 600);
  EXPECT_TRUE(refusal.may_fit_later());

  refusal = refused("session", of(1, 401));
  EXPECT_EQ(refusal.scope, "session");
  EXPECT_EQ(refusal.axis, Axis::kCloudTokens);
  EXPECT_EQ(scope_of(*store, "session").leased, of(0)) << "a refusal changes nothing";
}

TEST_F(LeaseStoreTest, WhatIsLeftIsGivenIfItIsEnoughOnEachAxisByItself) {
  take_all(*store, "session", of(330, 100));
  const auto taken = store->take("session", of(200, 200), of(50, 200));
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->amount, of(70, 200));
  EXPECT_EQ(*store->left("session"), of(0, 100));
  EXPECT_EQ(refused("session", of(1, 0)).scope, "session");
  // Nothing of an exhausted axis is asked for, so the other one decides.
  EXPECT_EQ(take_all(*store, "session", of(0, 100)).amount, of(0, 100));
}

TEST_F(LeaseStoreTest, AScopeWithoutLimitsGivesWhateverFitsTheNumbers) {
  EXPECT_TRUE(store->define({"free", std::nullopt, {}}));
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(*store->left("free"), of(kMost, kMost));
  take_all(*store, "free", of(kMost, kMost));
  EXPECT_EQ(refused("free", of(1, 0)).limit, kMost);
}

TEST_F(LeaseStoreTest, ExtendingAddsToTheSameLease) {
  const Lease lease = take_all(*store, "session", of(40, 0));
  const auto more = store->extend(lease.id, of(1000, 0), of(1, 0));
  ASSERT_TRUE(more && *more);
  EXPECT_EQ((*more)->id, lease.id);
  EXPECT_EQ((*more)->amount, of(360, 0));
  EXPECT_EQ((*more)->window, of(100, 0));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(400)));
  const auto refusal = store->extend(lease.id, of(1), of(1));
  ASSERT_TRUE(refusal && !*refusal);
  EXPECT_EQ(refusal->error().held, 400);
}

TEST_F(LeaseStoreTest, SettledCallsAreSpentAndTheRestComesBack) {
  const Lease lease = take_all(*store, "session", of(100, 60));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(30, 20)));
  EXPECT_TRUE(store->started(lease.id, CallId(2), of(50, 30)));
  EXPECT_TRUE(store->settled(lease.id, CallId(1), of(10, 5)));
  ASSERT_TRUE(store->flush());
  auto report = store->report();
  ASSERT_EQ(report->leases.size(), 1U);
  const LeaseReport& seen = report->leases[0];
  EXPECT_EQ(seen.scope, "session");
  EXPECT_EQ(seen.owner_state, OwnerState::kAlive);
  EXPECT_EQ(seen.lease.left, of(90, 55));
  EXPECT_EQ(seen.lease.open, of(50, 30));
  EXPECT_EQ(seen.lease.settled, of(10, 5));
  EXPECT_EQ(seen.lease.calls_settled, 1);
  EXPECT_EQ(seen.lease.taken_at, 1'700'000'000);
  ASSERT_EQ(seen.calls.size(), 1U);
  EXPECT_EQ(seen.calls[0].id, CallId(2));
  EXPECT_EQ(seen.calls[0].worst, of(50, 30));
  EXPECT_EQ(scope_of(*store, "process").spent, of(10, 5));
  EXPECT_EQ(scope_of(*store, "process").leased, of(90, 55));

  EXPECT_TRUE(store->settled(lease.id, CallId(2), of(0, 0)));
  EXPECT_TRUE(store->give_back(lease.id));
  for (const char* name : {"process", "key", "session"}) {
    EXPECT_EQ(scope_of(*store, name).spent, of(10, 5));
    EXPECT_EQ(scope_of(*store, name).leased, of(0));
  }
  EXPECT_TRUE(store->report()->leases.empty());
}

TEST_F(LeaseStoreTest, CallsThatAreOpenAtTheEndAreBookedAtTheirWorst) {
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(30)));
  EXPECT_TRUE(store->flush());
  EXPECT_TRUE(store->started(lease.id, CallId(2), of(20)));
  EXPECT_TRUE(store->give_back(lease.id));
  EXPECT_EQ(scope_of(*store, "process").spent, of(50));
  EXPECT_EQ(scope_of(*store, "process").leased, of(0));
  EXPECT_EQ(store->settled(lease.id, CallId(1), of(1)).error().code, Code::kInvalidInput);
}

TEST_F(LeaseStoreTest, APartOfALongLeaseCanBeGivenBack) {
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(30)));
  EXPECT_FALSE(store->give_back(lease.id, of(71)));
  EXPECT_FALSE(store->give_back(lease.id, of(-1)));
  EXPECT_TRUE(store->give_back(lease.id, of(70)));
  EXPECT_EQ(scope_of(*store, "session").leased, of(30));
  EXPECT_EQ(store->started(lease.id, CallId(2), of(1)).error().code, Code::kOverBudget);
  EXPECT_TRUE(store->settled(lease.id, CallId(1), of(20)));
  EXPECT_TRUE(store->started(lease.id, CallId(2), of(10)));
}

TEST_F(LeaseStoreTest, ABillBeyondTheReservationIsBookedInFullAndNeverEatsOpenCalls) {
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(40)));
  EXPECT_TRUE(store->started(lease.id, CallId(2), of(50)));
  // 30 too much: 10 were free in the lease, by 20 it grows, so that call 2 stays covered.
  EXPECT_TRUE(store->settled(lease.id, CallId(1), of(70)));
  EXPECT_TRUE(store->flush());
  EXPECT_EQ(scope_of(*store, "session").spent, of(70));
  EXPECT_EQ(scope_of(*store, "session").leased, of(50));
  EXPECT_FALSE(store->started(lease.id, CallId(3), of(1)));
  EXPECT_TRUE(store->settled(lease.id, CallId(2), of(900)));
  EXPECT_TRUE(store->give_back(lease.id));
  EXPECT_EQ(scope_of(*store, "session").spent, of(970));
  EXPECT_EQ(scope_of(*store, "session").leased, of(0));
  EXPECT_EQ(*store->left("session"), of(0, 400));
  EXPECT_FALSE(refused("session", of(1)).may_fit_later());
}

TEST_F(LeaseStoreTest, AbsurdBillsNeitherWrapNorCrash) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const Lease lease = take_all(*store, "session", of(100));
  for (std::uint64_t call = 1; call <= 3; ++call) {
    EXPECT_TRUE(store->started(lease.id, CallId(call), of(1)));
  }
  for (std::uint64_t call = 1; call <= 3; ++call) {
    EXPECT_TRUE(store->settled(lease.id, CallId(call), of(kMost, kMost)));
  }
  EXPECT_TRUE(store->flush());
  EXPECT_EQ(scope_of(*store, "process").spent, of(kMost, kMost));
  EXPECT_EQ(store->settled(lease.id, CallId(9), of(-1)).error().code, Code::kInvalidInput);
}

TEST_F(LeaseStoreTest, LimitsMayFallBelowWhatIsSpentAndRiseAgain) {
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(100)));
  EXPECT_TRUE(store->settled(lease.id, CallId(1), of(100)));
  EXPECT_TRUE(store->give_back(lease.id));
  EXPECT_TRUE(store->define({"process", std::nullopt, limits(50)}));
  EXPECT_EQ(refused("session", of(1)).scope, "process");
  EXPECT_EQ(*store->left("session"), of(0, 400));
  EXPECT_TRUE(store->define({"process", std::nullopt, limits(101)}));
  EXPECT_EQ(take_all(*store, "session", of(1)).amount, of(1));
}

TEST_F(LeaseStoreTest, DefinitionsThatCannotBeAreRefused) {
  const auto code = [&](const ScopeSpec& spec) {
    const auto defined = store->define(spec);
    return defined ? std::nullopt : std::optional(defined.error().code);
  };
  EXPECT_EQ(code({"session", "process", {}}), Code::kInvalidInput) << "another parent";
  EXPECT_EQ(code({"session", std::nullopt, {}}), Code::kInvalidInput) << "no parent any more";
  EXPECT_EQ(code({"x", "nobody", {}}), Code::kInvalidInput);
  EXPECT_EQ(code({"x", "x", {}}), Code::kInvalidInput) << "its own parent";
  EXPECT_EQ(code({"", std::nullopt, {}}), Code::kInvalidInput);
  EXPECT_EQ(code({"a\nb", std::nullopt, {}}), Code::kInvalidInput);
  EXPECT_EQ(code({"\xff", std::nullopt, {}}), Code::kInvalidInput);
  EXPECT_EQ(code({std::string(201, 'a'), std::nullopt, {}}), Code::kInvalidInput);
  EXPECT_EQ(code({"x", std::nullopt, limits(-1)}), Code::kInvalidInput);
  EXPECT_EQ(code({"x", std::nullopt, limits(1, -1)}), Code::kInvalidInput);
  EXPECT_EQ(store->report()->scopes.size(), 3U);
}

TEST_F(LeaseStoreTest, UnknownNamesAndWrongAmountsAreErrorsNotRefusals) {
  EXPECT_EQ(store->take("nobody", of(1), of(1)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->left("nobody").error().code, Code::kInvalidInput);
  EXPECT_EQ(store->take("key", of(1), of(2)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->take("key", of(1), of(-1)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->extend(LeaseId(77), of(1), of(1)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->started(LeaseId(77), CallId(1), of(1)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->give_back(LeaseId(77)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->give_back(LeaseId(77), of(1)).error().code, Code::kInvalidInput);
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_EQ(store->started(lease.id, CallId(1), of(101)).error().code, Code::kOverBudget);
  EXPECT_EQ(store->started(lease.id, CallId(1), of(0, 1)).error().code, Code::kOverBudget);
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(10)));
  EXPECT_EQ(store->started(lease.id, CallId(1), of(10)).error().code, Code::kInvalidInput);
  EXPECT_EQ(store->settled(lease.id, CallId(2), of(1)).error().code, Code::kInvalidInput);
}

TEST_F(LeaseStoreTest, ACallIdMayComeAgainOnceItIsSettled) {
  const Lease lease = take_all(*store, "session", of(400));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(store->started(lease.id, CallId(1), of(300)));  // More than the window: written.
    EXPECT_TRUE(store->settled(lease.id, CallId(1), of(10)));
  }
  EXPECT_TRUE(store->give_back(lease.id));
  EXPECT_EQ(scope_of(*store, "session").spent, of(30));
}

TEST_F(LeaseStoreTest, WhatIsWrittenIsThereForTheNextProcess) {
  take_all(*store, "session", of(100, 7));
  store = nullptr;
  store = open_store(scratch.ledger());
  EXPECT_EQ(scope_of(*store, "process").leased, of(100, 7));
  EXPECT_EQ(scope_of(*store, "key").usd_limit, PicoUsd(600));
  EXPECT_EQ(scope_of(*store, "key").tokens_limit, std::nullopt);
  EXPECT_EQ(scope_of(*store, "key").created_at, 1'700'000'000);
}

TEST_F(LeaseStoreTest, ClosingTheStoreWritesWhatWasSaid) {
  const Lease lease = take_all(*store, "session", of(100));
  EXPECT_TRUE(store->started(lease.id, CallId(1), of(20)));
  EXPECT_TRUE(store->settled(lease.id, CallId(1), of(15)));
  store = nullptr;
  EXPECT_EQ(scope_of(*open_store(scratch.ledger()), "session").spent, of(15));
}

TEST_F(LeaseStoreTest, ManySettledCallsLeaveNoRows) {
  const Lease lease = take_all(*store, "session", of(400));
  EXPECT_TRUE(store->started(lease.id, CallId(0), of(1)));
  for (std::uint64_t call = 1; call <= 10'000; ++call) {
    ASSERT_TRUE(store->started(lease.id, CallId(call), of(4)));
    ASSERT_TRUE(store->settled(lease.id, CallId(call), of(0)));
  }
  EXPECT_TRUE(store->flush());
  const auto report = store->report();
  ASSERT_EQ(report->leases.size(), 1U);
  EXPECT_EQ(report->leases[0].lease.calls_settled, 10'000);
  ASSERT_EQ(report->leases[0].calls.size(), 1U) << "only the open one";
  EXPECT_EQ(report->leases[0].calls[0].id, CallId(0));
  store = nullptr;
  EXPECT_LT(std::filesystem::file_size(scratch.ledger()), 100'000U);
}

TEST_F(LeaseStoreTest, TheFileIsForItsOwnerOnly) {
  take_all(*store, "session", of(1));
  for (const auto& entry : std::filesystem::directory_iterator(scratch.folder())) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << entry.path();
  }
}

class ReconcileTest : public LeaseStoreTest {
 protected:
  std::unique_ptr<LeaseStore> dead = open_store(scratch.ledger(), dead_owner());
};

TEST_F(ReconcileTest, ADeadOwnersLeaseCountsUntilItIsReconciledThenOnlyWhatMayBeBilled) {
  const Lease lease = take_all(*dead, "session", of(200, 80));
  EXPECT_TRUE(dead->started(lease.id, CallId(1), of(10)));
  EXPECT_TRUE(dead->started(lease.id, CallId(2), of(30, 8)));
  EXPECT_TRUE(dead->settled(lease.id, CallId(1), of(6)));
  EXPECT_TRUE(dead->flush());
  const Lease mine = take_all(*store, "session", of(50));
  EXPECT_EQ(scope_of(*store, "process").leased, of(244, 80));

  const auto resolved = store->reconcile(Resolve::kDead);
  ASSERT_TRUE(resolved);
  ASSERT_EQ(resolved->size(), 1U) << "the living one stays";
  const Reconciled& first = resolved->front();
  EXPECT_EQ(first.was.scope, "session");
  EXPECT_EQ(first.was.owner_state, OwnerState::kDead);
  EXPECT_EQ(first.was.lease.settled, of(6));
  EXPECT_EQ(first.booked, of(30 + 50, 8 + 20)) << "open call and window";
  EXPECT_EQ(first.returned, of(114, 52));
  for (const char* name : {"process", "key", "session"}) {
    EXPECT_EQ(scope_of(*store, name).spent, of(86, 28)) << name;
    EXPECT_EQ(scope_of(*store, name).leased, of(50)) << name;
  }
  EXPECT_TRUE(store->give_back(mine.id));
  EXPECT_TRUE(store->reconcile(Resolve::kDead)->empty());
}

TEST_F(ReconcileTest, NeverBooksMoreThanTheLeaseHeld) {
  const Lease lease = take_all(*dead, "session", of(200));
  EXPECT_TRUE(dead->started(lease.id, CallId(1), of(190)));
  EXPECT_TRUE(dead->flush());
  const auto resolved = store->reconcile(Resolve::kDead);
  EXPECT_EQ(resolved->front().booked, of(200));
  EXPECT_EQ(resolved->front().returned, of(0));
}

TEST_F(ReconcileTest, LeasesOfAnotherContainerAreLeftAloneUnlessToldOtherwise) {
  Owner elsewhere = *current_owner();
  elsewhere.pid_space = "pid:[1]";
  auto other = open_store(scratch.ledger(), elsewhere);
  take_all(*other, "session", of(100));
  EXPECT_EQ(store->report()->leases[0].owner_state, OwnerState::kElsewhere);
  EXPECT_TRUE(store->reconcile(Resolve::kDead)->empty());
  EXPECT_EQ(store->reconcile(Resolve::kDeadAndElsewhere)->size(), 1U);
  EXPECT_EQ(scope_of(*store, "session").spent, of(25));
}

TEST_F(ReconcileTest, AnOwnerWhoseLeaseWasTakenAwaySpendsNoMore) {
  const Lease lease = take_all(*dead, "session", of(100));
  ASSERT_EQ(store->reconcile(Resolve::kDead)->size(), 1U);
  EXPECT_EQ(dead->started(lease.id, CallId(1), of(60)).error().code, Code::kInternal);
  EXPECT_EQ(dead->take("session", of(1), of(1)).error().code, Code::kInternal);
  EXPECT_EQ(dead->extend(lease.id, of(1), of(1)).error().code, Code::kInternal);
}

}  // namespace
}  // namespace hf::store
