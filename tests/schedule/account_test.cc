// Goal: queries that share a budget never spend more than it has, alone or below another one, and
// one that is leased is asked for by itself. Method: accounts opened, used up and closed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace hf {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr AccountId kKey{1};
constexpr AccountId kSession{2};

Budget dollars(PicoUsd usd) {
  return {.usd = usd, .cloud_tokens = {}, .deadline = {}};
}

// What one whole question costs at worst.
PicoUsd worst_of_one() {
  Harness h("cloud", cloud_only());
  h.arrive_whole();
  return h.only<StartCall>().worst.usd;
}

QueryArrived paid_by(AccountId account, QueryId query = kQuery) {
  return {.query = query, .plan = false, .features = {}, .account = account};
}

TEST(Account, QueriesShareItsBudget) {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey, .name = "key", .limits = dollars(worst_of_one())});
  h.arrive(paid_by(kKey));
  const CallId call = h.only<StartCall>().call;
  h.arrive(paid_by(kKey, QueryId{2}));
  EXPECT_THAT(h.commands, IsEmpty());  // What is held may be returned.
  h.send(CallDone{.call = call, .usage = usage(1, 1), .output_bytes = 1, .signals = {}});
  EXPECT_EQ(h.only<FinishQuery>().query, kQuery);
  // The rest does not suffice for the worst case, but for half the answer.
  EXPECT_EQ(h.only<StartCall>().query, QueryId{2});
}

TEST(Account, OthersDoNotPayForIt) {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey, .name = "key", .limits = dollars(PicoUsd(0))});
  h.arrive(paid_by(kKey));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  EXPECT_THAT(h.record().trouble, HasSubstr("key"));
  h.arrive(paid_by({}, QueryId{2}));
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
}

TEST(Account, OneBelowAnotherSpendsFromBoth) {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey, .name = "key", .limits = dollars(worst_of_one())});
  h.send(AccountOpened{.account = kSession, .name = "session", .parent = kKey});
  h.arrive(paid_by(kSession));
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
  h.arrive(paid_by(kKey, QueryId{2}));
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(Account, WhoIsNotKnownPaysNothing) {
  Harness h("cloud", cloud_only());
  h.arrive(paid_by(kKey));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
}

TEST(Account, ClosedOnePaysForWhatRunsAndForNothingElse) {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey, .name = "key"});
  h.arrive(paid_by(kKey));
  const CallId call = h.only<StartCall>().call;
  h.send(AccountClosed{kKey});
  h.arrive(paid_by(kKey, QueryId{2}));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  h.send(CallDone{.call = call, .usage = usage(1, 1), .output_bytes = 1, .signals = {}});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
  h.scheduler().forget(kQuery);
  h.scheduler().forget(QueryId{2});
  h.send(AccountOpened{.account = kKey, .name = "key"});  // Its number is free again.
  h.arrive(paid_by(kKey, QueryId{3}));
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
}

TEST(Account, LeasedOnesAreAskedForOneByOne) {
  Harness h("cloud", cloud_only());
  for (const AccountId account : {kKey, kSession}) {
    h.send(AccountOpened{.account = account,
                         .name = "key",
                         .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
                         .is_leased = true});
  }
  h.arrive(paid_by(kKey));
  const WantBudget want = h.only<WantBudget>();
  EXPECT_EQ(want.account, kKey);
  h.arrive(paid_by(kSession, QueryId{2}));
  EXPECT_EQ(h.only<WantBudget>().account, kSession);
  h.send(BudgetChanged{
      .account = kKey,
      .limits = {.usd = want.needed.usd, .cloud_tokens = want.needed.cloud_tokens, .deadline = {}},
      .refusal = {}});
  EXPECT_EQ(h.only<StartCall>().query, kQuery);
  h.send(CallDone{.call = h.only<StartCall>().call, .usage = usage(1, 1), .signals = {}});
  EXPECT_EQ(h.only<Booked>().account, kKey);
}

TEST(Account, SessionBelowALeasedKeyAsksForTheKeys) {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey,
                       .name = "key",
                       .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
                       .is_leased = true});
  h.send(AccountOpened{.account = kSession, .name = "session", .parent = kKey});
  h.arrive(paid_by(kSession));
  EXPECT_EQ(h.only<WantBudget>().account, kKey);
}

// ---- requests that are passed on ----

TEST(Forwarded, HoldsItsOwnSizeAndCap) {
  Harness h("cloud", cloud_only());
  h.arrive({.plan = false,
            .question_bytes = 1000,
            .features = {},
            .answer_tokens = Tokens(5000),
            .is_forwarded = true});
  const StartCall call = h.only<StartCall>();
  EXPECT_EQ(call.max_tokens, Tokens(5000));
  EXPECT_EQ(call.worst.cloud_tokens, Tokens(6000));
}

TEST(Forwarded, IsShortenedWhereTheCapIsNotItsOwn) {
  Harness h("cloud", cloud_only());
  h.arrive({.budget = {.usd = {}, .cloud_tokens = Tokens(5999), .deadline = {}},
            .plan = false,
            .question_bytes = 1000,
            .features = {},
            .answer_tokens = Tokens(5000),
            .is_forwarded = true});
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(4999));
}

TEST(Forwarded, IsRefusedRatherThanShortenedWhereItIs) {
  Harness h("cloud", cloud_only());
  h.arrive({.budget = {.usd = {}, .cloud_tokens = Tokens(5999), .deadline = {}},
            .plan = false,
            .question_bytes = 1000,
            .features = {},
            .answer_tokens = Tokens(5000),
            .is_forwarded = true,
            .is_cap_fixed = true});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
}

}  // namespace
}  // namespace hf
