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

Harness with_leased_key() {
  Harness h("cloud", cloud_only());
  h.send(AccountOpened{.account = kKey,
                       .name = "key",
                       .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
                       .is_leased = true});
  return h;
}
BudgetChanged leased(PicoUsd usd, Tokens tokens) {
  return {.account = kKey,
          .limits = {.usd = usd, .cloud_tokens = tokens, .deadline = {}},
          .refusal = {}};
}

TEST(Account, WhoGetsNothingMoreIsRefusedAndDoesNotAskForEver) {
  Harness h = with_leased_key();
  h.arrive(paid_by(kKey));
  EXPECT_EQ(h.all<WantBudget>().size(), 1U);
  h.send(leased(PicoUsd(0), Tokens(0)));
  EXPECT_THAT(h.all<WantBudget>(), IsEmpty());
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  h.arrive(paid_by(kKey, QueryId{2}));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  h.pass(std::chrono::seconds(2));
  h.arrive(paid_by(kKey, QueryId{3}));  // Others may have given something back.
  EXPECT_EQ(h.all<WantBudget>().size(), 1U);
}

TEST(Account, WhoNeedsLessThanWhatWasRefusedAsksAtOnce) {
  Harness h = with_leased_key();
  const auto ask = [&](std::uint64_t query, std::int64_t cap) {
    QueryArrived event = paid_by(kKey, QueryId{query});
    event.answer_tokens = Tokens(cap);
    event.is_forwarded = event.is_cap_fixed = true;
    h.arrive(event);
  };
  ask(1, 5000);
  const Refusal no{
      .scope = "key:alice", .axis = Axis::kUsd, .limit = 9, .spent = 1, .held = 0, .asked = 7};
  BudgetChanged refused = leased(PicoUsd(0), Tokens(0));
  refused.refusal = no;
  h.send(refused);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  // The store's numbers, but what this query needs and not what the lease lacked.
  EXPECT_EQ(h.record(QueryId{1}).refusal->limit, 9);
  EXPECT_EQ(h.record(QueryId{1}).refusal->asked, 5000 * 8'000'000LL + 100 * 2'000'000LL);
  ask(2, 6000);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  ask(3, 10);
  const Amounts needed = h.only<WantBudget>().needed;
  h.send(leased(needed.usd, needed.cloud_tokens));
  EXPECT_EQ(h.only<StartCall>().query, QueryId{3});
}

TEST(Account, TwoThatAreBothRefusedDoNotWakeEachOther) {
  Harness h = with_leased_key();
  h.send(AccountOpened{.account = kSession,
                       .name = "other",
                       .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
                       .is_leased = true});
  // One call runs, so that both may hope for what it gives back.
  h.arrive(paid_by(kKey, QueryId{9}));
  const Amounts one = h.only<WantBudget>().needed;
  h.send(leased(one.usd, one.cloud_tokens));
  const CallId running = h.only<StartCall>().call;
  h.arrive(paid_by(kKey));
  h.arrive(paid_by(kSession, QueryId{2}));
  const Refusal no{
      .scope = "team", .axis = Axis::kUsd, .limit = 5, .spent = 5, .held = 0, .asked = 1};
  BudgetChanged refused = leased(one.usd, one.cloud_tokens);
  refused.refusal = no;
  h.send(refused);
  EXPECT_THAT(h.all<WantBudget>(), IsEmpty());
  refused = {.account = kSession,
             .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
             .refusal = no};
  h.send(refused);
  EXPECT_THAT(h.all<WantBudget>(), IsEmpty());
  h.send(CallDone{.call = running, .usage = usage(1, 1), .output_bytes = 1, .signals = {}});
  EXPECT_THAT(h.all<FinishQuery>(), testing::Not(IsEmpty()));
}

// A call of a leased account that is cancelled, and the state of the account then.
CallId cancelled_call(Harness& h) {
  h.arrive(paid_by(kKey));
  const Amounts needed = h.only<WantBudget>().needed;
  h.send(leased(needed.usd * 4, Tokens(needed.cloud_tokens.count() * 4)));
  const CallId call = h.only<StartCall>().call;
  h.send(CancelAsked{kQuery});
  EXPECT_EQ(h.only<Booked>().amounts, needed);
  return call;
}

TEST(Account, ALateBillFreesNothingThatTheHolderOfTheLeaseHasBooked) {
  Harness h = with_leased_key();
  const CallId call = cancelled_call(h);
  const Amounts spent = h.scheduler().account_state(kKey)->spent;
  h.send(CallFailed{.call = call,
                    .failure = Failure::kNone,
                    .detail = "",
                    .retry_after = {},
                    .usage = usage(1, 1),
                    .billable = true});
  EXPECT_THAT(h.all<Booked>(), IsEmpty());
  EXPECT_EQ(h.scheduler().account_state(kKey)->spent, spent);
  EXPECT_LT(h.record().budget_state.spent.usd, spent.usd);  // The query knows better.
}

TEST(Account, ALateBillBeyondWhatWasBookedIsBookedByTheHolderToo) {
  Harness h = with_leased_key();
  const CallId call = cancelled_call(h);
  const Amounts spent = h.scheduler().account_state(kKey)->spent;
  h.send(CallFailed{.call = call,
                    .failure = Failure::kNone,
                    .detail = "",
                    .retry_after = {},
                    .usage = usage(100'000, 100'000),
                    .billable = true});
  const Booked more = h.only<Booked>();
  EXPECT_EQ(more.account, kKey);
  Amounts now = spent;
  now += more.amounts;
  EXPECT_EQ(h.scheduler().account_state(kKey)->spent, now);
  EXPECT_EQ(now.cloud_tokens, Tokens(200'000));
}

TEST(LocalOnly, DoesNotGoToWhatIsNearButNotKnownToBeLocal) {
  Harness h(
      "edge", with([](auto& o) {
        o.endpoints = {{.name = "near", .tier = Tier::kEdge, .price = {}, .max_in_flight = 1}};
      }));
  h.arrive({.plan = false, .local_only = true, .features = {}});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
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
