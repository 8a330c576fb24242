// Goal: a critical call that is late gets one rival at another endpoint; the first answer counts,
// the other call is cancelled, and neither budgets nor allowances are broken.
// Method: the scheduler by hand, after enough calls to know what late is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace hf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class Hedge : public testing::Test {
 protected:
  // Twenty whole questions answered on the edge, 100 ms each: later calls are late after that.
  void learn(EndpointId endpoint = kEdge) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      h_.arrive_whole({}, QueryId{100 + i});
      const auto call = h_.only<StartCall>();
      ASSERT_EQ(call.endpoint, endpoint);
      h_.pass(milliseconds(20));
      h_.send(CallFirstToken{call.call});
      h_.pass(milliseconds(80));
      h_.finish_call(call.call, usage(30, 256));
    }
  }
  // The whole question, late on the edge, so that the cloud gets it too.
  std::pair<CallId, CallId> hedged(const Budget& budget = {}) {
    h_.arrive_whole(budget);
    const CallId first = h_.only<StartCall>().call;
    const auto timer = h_.all<SetTimer>().back();
    h_.now = timer.at;
    h_.send(TimerFired{timer.timer});
    return {first, h_.only<StartCall>().call};
  }

  Harness h_{"edge"};
};

TEST_F(Hedge, StartsWhenTheCallIsLaterThanAlmostAll) {
  learn();
  h_.arrive_whole();
  const auto first = h_.only<StartCall>();
  const auto timer = h_.only<SetTimer>();
  EXPECT_EQ(timer.at - h_.now, Duration(milliseconds(200)));  // The floor.
  h_.now = timer.at;
  h_.send(TimerFired{timer.timer});
  const auto second = h_.only<StartCall>();
  EXPECT_EQ(second.kind, CallKind::kHedge);
  EXPECT_EQ(second.endpoint, kCloud);
  EXPECT_EQ(second.prompt, first.prompt);
  EXPECT_EQ(second.max_tokens, first.max_tokens);
  EXPECT_EQ(h_.record().subtasks[0].attempts, 2U);
}

TEST_F(Hedge, DoesNotStartBeforeItIsKnownWhatLateIs) {
  h_.arrive_whole();
  EXPECT_THAT(h_.all<SetTimer>(), testing::IsEmpty());
}

TEST_F(Hedge, WinsAndTheLoserIsCancelled) {
  learn();
  const auto [first, second] = hedged();
  h_.pass(milliseconds(10));
  h_.finish_call(second);
  EXPECT_EQ(h_.only<CancelCall>().call, first);
  EXPECT_EQ(h_.only<FinishQuery>().outcome, Outcome::kAnswered);
  const auto& decision = h_.record().subtasks[0].decision;
  EXPECT_EQ(decision->endpoint, kCloud);
  EXPECT_EQ(decision->tier, Tier::kCloud);
  EXPECT_THAT(decision->reason, HasSubstr("cloud was quicker"));
  EXPECT_EQ(h_.record().calls[0].status, CallStatus::kCancelled);
  EXPECT_EQ(h_.record().calls[1].kind, CallKind::kHedge);
}

TEST_F(Hedge, LosesAndIsBookedAtItsWorstUntilItsBillComes) {
  learn();
  const auto [first, second] = hedged();
  h_.finish_call(first);
  EXPECT_EQ(h_.only<CancelCall>().call, second);
  EXPECT_EQ(h_.record().subtasks[0].decision->tier, Tier::kEdge);
  const Amounts worst = h_.record().budget_state.spent;
  EXPECT_GT(worst.usd, PicoUsd(0));
  EXPECT_EQ(h_.record().budget_state.held, Amounts{});
  h_.fail_call(second, Failure::kNone, usage(10, 0), true);
  EXPECT_EQ(h_.record().budget_state.spent.usd, PicoUsd(10 * 2'000'000));
}

TEST_F(Hedge, CarriesOnAloneWhenTheFirstFails) {
  learn();
  const auto [first, second] = hedged();
  h_.fail_call(first, Failure::kServer);
  EXPECT_THAT(h_.commands, testing::IsEmpty());
  EXPECT_EQ(h_.state(0), SubtaskState::kRunning);
  h_.finish_call(second);
  EXPECT_EQ(h_.only<FinishQuery>().outcome, Outcome::kAnswered);
}

TEST_F(Hedge, ThatFailsLeavesTheFirstAlone) {
  learn();
  const auto [first, second] = hedged();
  h_.fail_call(second, Failure::kServer);
  EXPECT_THAT(h_.commands, testing::IsEmpty());
  h_.finish_call(first);
  EXPECT_EQ(h_.only<FinishQuery>().outcome, Outcome::kAnswered);
}

TEST_F(Hedge, AndFirstBothFailingIsARetryAsUsual) {
  learn();
  const auto [first, second] = hedged();
  h_.fail_call(second, Failure::kServer);
  h_.fail_call(first, Failure::kServer);
  EXPECT_EQ(h_.all<SetTimer>().size(), 1U);
  EXPECT_THAT(h_.all<FinishQuery>(), testing::IsEmpty());
}

TEST_F(Hedge, NeedsABudgetThatAllowsBoth) {
  learn();
  h_.arrive_whole({.usd = PicoUsd(1000), .cloud_tokens = {}, .deadline = {}});
  const auto timer = h_.only<SetTimer>();
  h_.now = timer.at;
  h_.send(TimerFired{timer.timer});
  EXPECT_THAT(h_.commands, testing::IsEmpty());
}

TEST_F(Hedge, StaysAtHomeForALocalQuery) {
  learn();
  h_.arrive({.budget = {}, .plan = false, .local_only = true, .features = {}});
  const auto timer = h_.only<SetTimer>();
  h_.now = timer.at;
  h_.send(TimerFired{timer.timer});
  EXPECT_THAT(h_.commands, testing::IsEmpty());
}

TEST_F(Hedge, DoesNotBeginAnAnswerAnewThatIsBeingRead) {
  learn();
  h_.arrive_whole();
  const auto timer = h_.only<SetTimer>();
  h_.send(CallFirstToken{h_.only<StartCall>().call});
  h_.now = timer.at;
  h_.send(TimerFired{timer.timer});
  EXPECT_THAT(h_.commands, testing::IsEmpty());
}

TEST_F(Hedge, IsForTheCriticalPathOnly) {
  learn();
  h_.arrive_with_plan();
  h_.step(0, {}, Role::kAnalyze, 200);
  EXPECT_EQ(h_.all<SetTimer>().size(), 1U);
  h_.step(1, {}, Role::kAnalyze, 20);  // The shorter of the two has time to spare.
  EXPECT_THAT(h_.all<SetTimer>(), testing::IsEmpty());
  h_.step(2, {0, 1}, Role::kGenerate, 50);
  h_.end_plan(2);
  const auto& calls = h_.record().calls;
  ASSERT_EQ(calls.size(), 2U);
  h_.finish_call(calls[0].id);
  h_.finish_call(calls[1].id);
  EXPECT_EQ(h_.all<SetTimer>().size(), 1U);
}

TEST_F(Hedge, IsTurnedOffByItsOption) {
  Harness off("edge", with([](auto& o) { o.hedge = false; }));
  std::swap(h_, off);
  learn();
  h_.arrive_whole();
  EXPECT_THAT(h_.all<SetTimer>(), testing::IsEmpty());
}

TEST_F(Hedge, IsAFewInHundredCallsAndNoStorm) {
  learn();
  int hedges = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    h_.arrive_whole({}, QueryId{1000 + i});
    const CallId call = h_.only<StartCall>().call;
    const auto timer = h_.only<SetTimer>();
    h_.now = timer.at;
    h_.send(TimerFired{timer.timer});
    hedges += static_cast<int>(h_.all<StartCall>().size());
    h_.finish_call(call);
  }
  // The cloud has started nothing but hedges, so its allowance is the first three.
  EXPECT_EQ(hedges, 3);
}

TEST_F(Hedge, RescuesAnAnswerThatWouldMissItsDeadline) {
  learn();  // The edge needs about 100 ms for an answer.
  Harness& h = h_;
  h.arrive({.budget = {.usd = {}, .cloud_tokens = {}, .deadline = seconds(2)},
            .plan = false,
            .features = {}});
  // As if the edge were at its retry limit: the question goes to the cloud after a failure.
  const CallId edge = h.only<StartCall>().call;
  h.fail_call(edge, Failure::kRejected);
  const auto cloud = h.only<StartCall>();
  ASSERT_EQ(cloud.endpoint, kCloud);
  // The edge rejected it, so it is no rival.
  EXPECT_THAT(h.all<SetTimer>(), testing::IsEmpty());
}

TEST(HedgeDeadline, TheQuickestOtherEndpointGetsTheAnswerInTime) {
  Harness h("cloud");
  // One answer from each, so that speeds are known: the edge needs 100 ms, the cloud 50 ms.
  h.arrive({.query = QueryId{7}, .plan = false, .local_only = true, .features = {}});
  h.pass(milliseconds(20));
  h.send(CallFirstToken{h.only<StartCall>().call});
  const CallId local = h.record(QueryId{7}).calls[0].id;
  h.pass(milliseconds(80));
  h.finish_call(local, usage(30, 256));
  h.arrive({.budget = {.usd = {}, .cloud_tokens = {}, .deadline = seconds(2)},
            .plan = false,
            .features = {}});
  const TimePoint arrived = h.now;
  const auto slow = h.only<StartCall>();
  ASSERT_EQ(slow.endpoint, kCloud);
  const auto timer = h.all<SetTimer>().back();
  EXPECT_EQ(timer.at - arrived, Duration(seconds(2)) - Duration(milliseconds(100)) * 5 / 4);
  h.now = timer.at;
  h.send(TimerFired{timer.timer});
  const auto rescue = h.only<StartCall>();
  EXPECT_EQ(rescue.endpoint, kEdge);
  h.pass(milliseconds(100));
  h.finish_call(rescue.call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
}

// ---- staying local ----

TEST(LocalOnly, NothingGoesToTheCloud) {
  Harness h("cloud");
  h.arrive({.plan = true, .plan_given = true, .local_only = true, .features = {}});
  h.step(0, {}, Role::kAnalyze);
  EXPECT_EQ(h.only<StartCall>().endpoint, kEdge);
}

TEST(LocalOnly, IsUnavailableWithoutALocalEndpoint) {
  Harness h("cloud", cloud_only());
  h.arrive({.plan = true, .local_only = true, .features = {}});
  EXPECT_THAT(h.all<StartCall>(), testing::IsEmpty());
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_THAT(h.record().trouble, HasSubstr("must stay local"));
}

TEST(LocalOnly, DoesNotFallBackToTheCloud) {
  Harness h("edge");
  h.arrive({.plan = false, .local_only = true, .features = {}});
  h.fail_call(h.only<StartCall>().call, Failure::kRejected);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
}

// ---- a leased budget ----

Harness leased() {
  Scheduler::Options options = cloud_only();
  options.is_process_leased = true;
  options.process.usd = PicoUsd(0);
  options.process.cloud_tokens = Tokens(0);
  return Harness("cloud", std::move(options));
}

TEST(LeasedBudget, IsAskedForOnceAndStartsWhatWaited) {
  Harness h = leased();
  h.arrive_whole();
  const Amounts needed = h.only<WantBudget>().needed;
  EXPECT_GT(needed.usd, PicoUsd(0));
  h.arrive_whole({}, QueryId{2});
  EXPECT_THAT(h.commands, testing::IsEmpty());
  h.send(BudgetChanged{.limits = {.usd = needed.usd * 2,
                                  .cloud_tokens = Tokens(needed.cloud_tokens.count() * 2),
                                  .deadline = {}},
                       .refusal = {}});
  EXPECT_EQ(h.all<StartCall>().size(), 2U);
}

TEST(LeasedBudget, IsAskedForAgainWhenItDoesNotReach) {
  Harness h = leased();
  h.arrive_whole();
  const Amounts needed = h.only<WantBudget>().needed;
  h.arrive_whole({}, QueryId{2});
  h.send(BudgetChanged{
      .limits = {.usd = needed.usd, .cloud_tokens = needed.cloud_tokens, .deadline = {}},
      .refusal = {}});
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
  EXPECT_EQ(h.all<WantBudget>().size(), 1U);
}

TEST(LeasedBudget, RefusalNamesTheScopeThatRefused) {
  Harness h = leased();
  h.arrive_whole();
  h.send(BudgetChanged{
      .limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
      .refusal = Refusal{
          .scope = "team", .axis = Axis::kUsd, .limit = 5, .spent = 5, .held = 0, .asked = 1}});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  EXPECT_THAT(h.record().trouble, HasSubstr("team"));
  EXPECT_THAT(h.all<WantBudget>(), testing::IsEmpty());
}

TEST(LeasedBudget, LaterQueriesAskAnewOnlyAfterSomethingChanged) {
  Harness h = leased();
  const Refusal no{
      .scope = "team", .axis = Axis::kUsd, .limit = 5, .spent = 5, .held = 0, .asked = 1};
  h.arrive_whole();
  h.send(BudgetChanged{.limits = {.usd = PicoUsd(0), .cloud_tokens = Tokens(0), .deadline = {}},
                       .refusal = no});
  h.arrive_whole({}, QueryId{2});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
}

}  // namespace
}  // namespace hf
