// Goal: the checker of durable budgets sees a store that lies and an entry that is lost, so that
// its silence means something. Method: a process of one lease, and what a wrong file would say of
// it.
#include "sim/store_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hf::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr store::LeaseId kLease{1};

Amounts of(std::int64_t usd, std::int64_t tokens = 0) {
  return {PicoUsd(usd), Tokens(tokens)};
}

class StoreCheckerTest : public testing::Test {
 protected:
  // A lease of 100, call 1 written and settled for 10, call 2 written and open with 40, call 3 sent
  // within the window and not written.
  StoreCheckerTest() {
    checker_.granted(kLease, of(100, 100));
    call(1, of(30), of(10));
    checker_.booked(CallId{1}, of(10));
    call(2, of(40), of(40));
    write();
    call(3, of(20), of(15));
  }

  void call(std::uint64_t id, const Amounts& worst, const Amounts& charge) {
    checker_.entered(CallId{id}, worst);
    checker_.sent(CallId{id}, charge);
  }
  void write() {
    checker_.write_began();
    checker_.write_ended(true);
  }
  // As the file should be now.
  static store::Report truth() {
    store::Report report;
    report.scopes.push_back({.id = 1,
                             .name = "process",
                             .usd_limit = PicoUsd(120),
                             .spent = of(10),
                             .leased = of(90, 100)});
    report.leases.push_back({.lease = {.id = 1,
                                       .scope = 1,
                                       .left = of(90, 100),
                                       .window = of(25, 25),
                                       .open = of(40),
                                       .settled = of(10),
                                       .calls_settled = 1}});
    return report;
  }
  std::vector<std::string> verdict(const store::Report& report) {
    checker_.check(report);
    return checker_.take_violations();
  }
  // Of a reconciliation that books so much of the 90 that are left.
  std::vector<std::string> verdict_of(const Amounts& booked, const Amounts& returned) {
    const store::Reconciled resolved{
        .was = truth().leases.front(), .booked = booked, .returned = returned};
    checker_.reconciled(std::span(&resolved, 1));
    return checker_.take_violations();
  }

  StoreChecker checker_{{{.name = "process",
                          .parent = {},
                          .limits = {.usd = PicoUsd(120), .cloud_tokens = {}, .deadline = {}}}}};
};

TEST_F(StoreCheckerTest, IsSilentWhenAllIsWell) {
  EXPECT_THAT(verdict(truth()), IsEmpty());
  checker_.died();
  EXPECT_THAT(verdict(truth()), IsEmpty());
  // 40 for call 2, the window for what nobody knows of.
  EXPECT_THAT(verdict_of(of(65, 25), of(25, 75)), IsEmpty());
  store::Report after = truth();
  after.leases.clear();
  after.scopes[0].spent = of(75, 25);
  after.scopes[0].leased = {};
  checker_.check_end(after);
  EXPECT_THAT(checker_.take_violations(), IsEmpty());
}

TEST_F(StoreCheckerTest, SeesALostEntry) {
  store::Report report = truth();
  report.leases[0].lease.open = {};
  EXPECT_THAT(verdict(report), Contains(HasSubstr("open calls are not those")));
}

TEST_F(StoreCheckerTest, SeesALostSettlement) {
  store::Report report = truth();
  report.leases[0].lease.settled = of(3);
  EXPECT_THAT(verdict(report), Contains(HasSubstr("settled is not what was written")));
  report = truth();
  report.scopes[0].spent = of(3);
  EXPECT_THAT(verdict(report), Contains(HasSubstr("not spent what its leases settled")));
}

TEST_F(StoreCheckerTest, SeesThatLessIsCountedThanWasCharged) {
  store::Report report = truth();
  report.scopes[0].leased = of(50, 100);  // 60 counted, 65 charged.
  EXPECT_THAT(verdict(report), Contains(HasSubstr("more was charged than the ledger counts")));
  report = truth();
  report.leases[0].lease.left = of(50, 100);
  EXPECT_THAT(verdict(report), Contains(HasSubstr("does not cover its calls")));
}

TEST_F(StoreCheckerTest, SeesAScopeOverItsLimit) {
  store::Report report = truth();
  report.scopes[0].leased = of(111, 100);
  EXPECT_THAT(verdict(report), Contains(HasSubstr("over its limit")));
}

TEST_F(StoreCheckerTest, AChargeBeyondTheReservationCountsOnceItIsWritten) {
  checker_.booked(CallId{2}, of(70));
  EXPECT_THAT(verdict(truth()), IsEmpty());
  write();
  EXPECT_THAT(verdict(truth()), Contains(HasSubstr("settled is not what was written")));
  store::Report report = truth();
  report.leases[0].lease.open = of(20);  // Call 3 was written as well.
  report.leases[0].lease.settled = of(80);
  report.leases[0].lease.left = of(50, 100);  // It grew by the 30 beyond.
  report.scopes[0].spent = of(80);
  report.scopes[0].leased = of(50, 100);
  EXPECT_THAT(verdict(report), IsEmpty());
}

TEST_F(StoreCheckerTest, SeesMoreUnwrittenThanTheWindow) {
  call(4, of(6), of(1));
  EXPECT_THAT(verdict(truth()), Contains(HasSubstr("more is unwritten")));
}

TEST_F(StoreCheckerTest, SeesAWindowThatIsTooLarge) {
  store::Report report = truth();
  report.leases[0].lease.window = of(26, 25);
  EXPECT_THAT(verdict(report), Contains(HasSubstr("larger than a quarter")));
}

TEST_F(StoreCheckerTest, SeesALeaseThatIsGoneAndOneThatNobodyHas) {
  store::Report report = truth();
  report.leases[0].lease.id = 2;
  EXPECT_THAT(verdict(report), Contains(HasSubstr("nobody has")));
  report.leases.clear();
  EXPECT_THAT(verdict(report), Contains(HasSubstr("a lease is gone")));
  report = truth();
  report.scopes.clear();
  EXPECT_THAT(verdict(report), Contains(HasSubstr("a scope is gone")));
}

TEST_F(StoreCheckerTest, SeesALeaseThatIsOpenAtTheEnd) {
  checker_.check_end(truth());
  EXPECT_THAT(checker_.take_violations(), Contains(HasSubstr("open at the end")));
}

TEST_F(StoreCheckerTest, SeesACallThatWasNeverJournalled) {
  checker_.sent(CallId{9}, of(1));
  EXPECT_THAT(checker_.take_violations(), Contains(HasSubstr("was not journalled")));
  checker_.sent(CallId{9}, {});
  EXPECT_THAT(checker_.take_violations(), IsEmpty());
}

TEST_F(StoreCheckerTest, SeesAReconciliationOfTheLiving) {
  EXPECT_THAT(verdict_of(of(65, 25), of(25, 75)), Contains(HasSubstr("not a dead process's")));
}

TEST_F(StoreCheckerTest, SeesAReconciliationThatForgetsTheWindowOrReturnsTooMuch) {
  checker_.died();
  const auto rules = verdict_of(of(40), of(50, 100));
  EXPECT_THAT(rules, Contains(HasSubstr("not the worst cases of the open calls")));
  EXPECT_THAT(rules, Contains(HasSubstr("what may have been charged was not booked")));
}

TEST_F(StoreCheckerTest, SeesAReconciliationThatLosesMoneyOrALease) {
  checker_.died();
  EXPECT_THAT(verdict_of(of(65, 25), of(20, 75)), Contains(HasSubstr("booked and returned")));
  checker_.granted(store::LeaseId{2}, of(10));
  checker_.died();
  checker_.reconciled({});
  EXPECT_THAT(checker_.take_violations(), Contains(HasSubstr("was not reconciled")));
}

}  // namespace
}  // namespace hf::sim
