// Goal: what a call cost is booked exactly once, whatever becomes of it, and failures lead where
// they should.
// Method: play the driver, event by event, and look at the commands and the record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace hf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The worst case of a whole question of 100 bytes in the cloud.
const Amounts kWholeWorst{PicoUsd(2148LL * 2'000'000 + 512LL * 8'000'000), Tokens(2148 + 512)};

TEST(Settling, HoldsTheWorstCaseWhileACallRuns) {
  Harness h("cloud");
  h.arrive_whole();
  EXPECT_EQ(h.record().budget_state.held, kWholeWorst);
  EXPECT_EQ(h.record().budget_state.spent, Amounts{});
}

TEST(Settling, BooksWhatWasReportedAtListPrice) {
  Harness h("cloud");
  h.arrive_whole();
  Usage used = usage(1000, 100);
  used.cached = Tokens(600);
  h.finish_call(h.only<StartCall>().call, used);
  const CallRecord& call = h.record().calls.front();
  EXPECT_EQ(call.usd, PicoUsd(400LL * 2'000'000 + 600LL * 500'000 + 100LL * 8'000'000));
  EXPECT_EQ(call.usage, used);
  EXPECT_FALSE(call.usage_estimated);
  EXPECT_EQ(h.record().budget_state.spent, (Amounts{call.usd, Tokens(1100)}));
  EXPECT_EQ(h.record().budget_state.held, Amounts{});
}

TEST(Settling, BooksTheWorstCaseWhenTheCloudReportsNoUsage) {
  Harness h("cloud");
  h.arrive_whole();
  h.finish_call(h.only<StartCall>().call, std::nullopt);
  const CallRecord& call = h.record().calls.front();
  EXPECT_TRUE(call.usage_estimated);
  EXPECT_THAT(call.detail, HasSubstr("no usage"));
  EXPECT_EQ(h.record().budget_state.spent, kWholeWorst);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
}

TEST(Settling, InventsNoUsageForAnEndpointThatIsFree) {
  Harness h("edge");
  h.arrive_whole();
  h.finish_call(h.only<StartCall>().call, std::nullopt);
  EXPECT_EQ(h.record().calls.front().usage, Usage{});
  EXPECT_TRUE(h.record().calls.front().usage_estimated);
}

TEST(Settling, ChargesAnOverrunInFullAndNamesIt) {
  Harness h("cloud");
  h.arrive_whole({.usd = PicoUsd(9'000'000'000), .cloud_tokens = {}, .deadline = {}});
  h.finish_call(h.only<StartCall>().call, usage(30, 5000));
  EXPECT_THAT(h.record().calls.front().detail, HasSubstr("overrun"));
  EXPECT_EQ(h.record().budget_state.spent.usd, PicoUsd(30LL * 2'000'000 + 5000LL * 8'000'000));
}

TEST(Settling, DoesNotBelieveAbsurdUsage) {
  Harness h("cloud");
  h.arrive_whole();
  Usage absurd = usage(INT64_MAX, INT64_MAX);
  absurd.cached = Tokens(-5);
  h.finish_call(h.only<StartCall>().call, absurd);
  EXPECT_EQ(h.record().calls.front().usage, usage(100'000'000, 100'000'000));
  h.arrive_whole({}, QueryId{2});
  h.finish_call(h.only<StartCall>().call, usage(-7, -7));
  EXPECT_EQ(h.record(QueryId{2}).budget_state.spent, Amounts{});
}

TEST(Settling, BooksAFailedCallByWhatIsKnownOfIt) {
  const auto spent_after = [](std::optional<Usage> used, bool is_billable) {
    Harness h("cloud", with([](auto& o) {
                o.retry.attempts_max = 1;
                o.fallback = Fallback::kNone;
              }));
    h.arrive_whole();
    h.fail_call(h.only<StartCall>().call, Failure::kServer, used, is_billable);
    return h.record().budget_state.spent;
  };
  EXPECT_EQ(spent_after(std::nullopt, false), Amounts{});
  EXPECT_EQ(spent_after(std::nullopt, true), kWholeWorst);
  EXPECT_EQ(spent_after(usage(10, 1), true), (Amounts{PicoUsd(28'000'000), Tokens(11)}));
}

TEST(Settling, CorrectsACancelledCallWhenTheRealBillComes) {
  Harness h("cloud");
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.send(CancelAsked{kQuery});
  EXPECT_EQ(h.only<CancelCall>().call, call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kCancelled);
  EXPECT_EQ(h.record().budget_state.spent, kWholeWorst);
  EXPECT_TRUE(h.record().calls.front().usage_estimated);
  h.finish_call(call, usage(10, 1));
  EXPECT_THAT(h.commands, IsEmpty());
  EXPECT_EQ(h.record().budget_state.spent, (Amounts{PicoUsd(28'000'000), Tokens(11)}));
  EXPECT_EQ(h.record().calls.front().usd, PicoUsd(28'000'000));
  EXPECT_EQ(h.record().calls.front().status, CallStatus::kCancelled);
  h.finish_call(call, usage(500, 500));  // Only the first bill counts.
  EXPECT_EQ(h.record().budget_state.spent.cloud_tokens, Tokens(11));
}

TEST(Settling, RefundsACancelledCallThatWasNeverSent) {
  Harness h("cloud");
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.send(CancelAsked{kQuery});
  h.fail_call(call, Failure::kNone, std::nullopt, false);
  EXPECT_EQ(h.record().budget_state.spent, Amounts{});
}

TEST(Settling, KeepsTheWorstCaseWhenTheLateBillSaysNothing) {
  Harness h("cloud");
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.send(CancelAsked{kQuery});
  h.fail_call(call, Failure::kNone, std::nullopt, true);
  EXPECT_EQ(h.record().budget_state.spent, kWholeWorst);
}

TEST(Settling, IgnoresWhatBelongsToNothing) {
  Harness h;
  h.finish_call(CallId{77});
  h.fail_call(CallId{77}, Failure::kServer);
  h.send(CallFirstToken{CallId{77}});
  h.send(TimerFired{12});
  h.send(CancelAsked{QueryId{5}});
  h.step(0, {});
  h.end_plan(0);
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(Settling, IgnoresEventsOfAQueryThatIsOverOrForgotten) {
  Harness h("cloud");
  h.arrive();
  const CallId plan = h.only<StartCall>().call;
  h.send(CancelAsked{kQuery});
  h.send(CancelAsked{kQuery});
  EXPECT_THAT(h.commands, IsEmpty());
  h.step(0, {});
  h.end_plan(0);
  EXPECT_THAT(h.commands, IsEmpty());
  h.scheduler().forget(kQuery);
  h.finish_call(plan);
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(Failures, RetryAfterABackOffAtTheSameEndpoint) {
  Harness h("cloud");
  h.arrive_whole();
  h.fail_call(h.only<StartCall>().call, Failure::kGapTimeout);
  const auto timer = h.only<SetTimer>();
  EXPECT_THAT(h.all<StartCall>(), IsEmpty());
  EXPECT_GT(timer.at, h.now);
  EXPECT_LE(timer.at, h.now + milliseconds(500));
  h.now = timer.at;
  h.send(TimerFired{timer.timer});
  EXPECT_EQ(h.only<StartCall>().endpoint, kCloud);
  EXPECT_EQ(h.record().subtasks.front().attempts, 2U);
}

TEST(Failures, HonourRetryAfter) {
  Harness h("cloud");
  h.arrive_whole();
  h.send(CallFailed{.call = h.only<StartCall>().call,
                    .failure = Failure::kOverloaded,
                    .detail = {},
                    .retry_after = seconds(3),
                    .usage = {}});
  EXPECT_EQ(h.only<SetTimer>().at, h.now + seconds(3));
}

TEST(Failures, DoNotWaitBeyondTheDeadline) {
  Harness h("cloud");
  h.arrive_whole({.usd = {}, .cloud_tokens = {}, .deadline = seconds(2)});
  h.send(CallFailed{.call = h.only<StartCall>().call,
                    .failure = Failure::kOverloaded,
                    .detail = {},
                    .retry_after = seconds(3),
                    .usage = {}});
  EXPECT_EQ(h.only<StartCall>().endpoint, kEdge);
}

TEST(Failures, MoveAtOnceWhereTryingAgainCannotHelp) {
  for (const Failure failure : {Failure::kRejected, Failure::kUnauthorized, Failure::kNotFound}) {
    Harness h("cloud");
    h.arrive_whole();
    h.fail_call(h.only<StartCall>().call, failure);
    EXPECT_EQ(h.only<StartCall>().endpoint, kEdge);
  }
}

TEST(Failures, TryTheSameTierBeforeTheOther) {
  Scheduler::Options options;
  options.retry.attempts_max = 1;
  for (const char* name : {"edge", "cloud-a", "cloud-b"}) {
    options.endpoints.push_back({.name = name,
                                 .tier = name[0] == 'e' ? Tier::kEdge : Tier::kCloud,
                                 .price = {},
                                 .max_in_flight = 4});
  }
  Harness h("cloud", options);
  h.arrive_whole();
  for (const std::uint32_t expected : {1U, 2U, 0U}) {
    const auto call = h.only<StartCall>();
    EXPECT_EQ(call.endpoint, EndpointId{expected});
    h.fail_call(call.call, Failure::kServer);
  }
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_EQ(h.record().calls.size(), 3U);
}

TEST(Failures, StayInTheTierWithoutAFallback) {
  Harness h("cloud", with([](auto& o) {
              o.retry.attempts_max = 1;
              o.fallback = Fallback::kNone;
            }));
  h.arrive_whole();
  h.fail_call(h.only<StartCall>().call, Failure::kServer);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_EQ(h.record().trouble,
            "No endpoint could answer: cloud: it failed inside (what it said).");
}

TEST(Failures, AreNoInputForDependants) {
  Harness h("edge", with([](auto& o) {
              o.retry.attempts_max = 1;
              o.fallback = Fallback::kNone;
            }));
  h.arrive_with_plan();
  h.step(0, {});
  const CallId lost = h.only<StartCall>().call;
  h.step(1, {});
  const CallId kept = h.only<StartCall>().call;
  h.step(2, {0, 1}, Role::kGenerate);
  h.end_plan(2);
  h.fail_call(lost, Failure::kServer);
  h.finish_call(kept);
  const auto sink = h.only<StartCall>();
  EXPECT_THAT(sink.inputs, ElementsAre(node(1)));
  h.finish_call(sink.call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDegraded);
  EXPECT_THAT(h.record().degraded, ElementsAre(HasSubstr("subtask #1 failed: edge")));
}

TEST(Failures, OfManyCallsLeadToFewRetries) {
  Harness h("cloud", with([](auto& o) {
              o.retry.attempts_max = 2;
              o.breaker.failures_max = 1000;
            }));
  int retries = 0;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    h.arrive_whole({}, QueryId{id});
    h.fail_call(h.only<StartCall>().call, Failure::kServer);
    retries += static_cast<int>(h.all<SetTimer>().size());
  }
  EXPECT_GE(retries, 20);
  EXPECT_LE(retries, 23);
}

TEST(Failures, OfTheEndpointTellLaterQueriesWhyNobodyAnswers) {
  Harness h("cloud", cloud_only());
  h.arrive_whole();
  h.fail_call(h.only<StartCall>().call, Failure::kUnauthorized);
  h.arrive_whole({}, QueryId{2});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_THAT(h.record(QueryId{2}).trouble, HasSubstr("it refused the key"));
  // What it said was about the first query, which may be somebody else's.
  EXPECT_THAT(h.record().trouble, HasSubstr("what it said"));
  EXPECT_THAT(h.record(QueryId{2}).trouble, testing::Not(HasSubstr("what it said")));
}

TEST(Failures, ThatShutAnEndpointOutSendThoseWhoWaitForItElsewhere) {
  Harness h("edge", with([](auto& o) {
              o.endpoints = cloud_only().endpoints;
              o.endpoints.push_back({.name = "edge", .price = {}, .max_in_flight = 1});
            }));
  h.arrive_whole();
  const StartCall first = h.only<StartCall>();
  EXPECT_EQ(first.endpoint, EndpointId{1});
  h.arrive_whole({}, QueryId{2});
  EXPECT_THAT(h.commands, IsEmpty());
  h.fail_call(first.call, Failure::kUnauthorized);
  const std::vector<StartCall> starts = h.all<StartCall>();
  ASSERT_EQ(starts.size(), 2U);
  for (const StartCall& start : starts) EXPECT_EQ(start.endpoint, EndpointId{0});
}

TEST(Records, OfAForgottenQueryLeaveNothingToTheNext) {
  Harness h("edge", with([](auto& o) { o.retry.attempts_max = 1; }));
  h.arrive_with_plan();
  h.step(0, {});
  const CallId first = h.only<StartCall>().call;
  h.step(1, {0}, Role::kGenerate);
  h.end_plan(1);
  h.fail_call(first, Failure::kServer);
  h.fail_call(h.only<StartCall>().call, Failure::kServer);  // In the cloud.
  h.finish_call(h.only<StartCall>().call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDegraded);
  EXPECT_EQ(h.record().calls.size(), 3U);
  h.scheduler().forget(kQuery);

  h.arrive_with_plan();
  EXPECT_THAT(h.record().subtasks, IsEmpty());
  EXPECT_THAT(h.record().calls, IsEmpty());
  EXPECT_THAT(h.record().degraded, IsEmpty());
  EXPECT_FALSE(h.record().sink || h.record().outcome);
  h.step(0, {}, Role::kGenerate);
  h.end_plan(0);
  h.finish_call(h.only<StartCall>().call);
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kAnswered);
  EXPECT_EQ(h.record().subtasks.size(), 1U);
}

TEST(Records, KeepTheTimesOfCallsAndSubtasksSinceTheArrival) {
  Harness h("cloud");
  h.pass(seconds(100));
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.pass(milliseconds(50));
  h.send(CallFirstToken{call});
  h.pass(milliseconds(10));
  h.send(CallFirstToken{call});
  h.send(CallDone{.call = call, .usage = usage(1, 1), .cut_by_length = true, .signals = {}});
  const CallRecord& record = h.record().calls.front();
  EXPECT_EQ(record.started, Duration(0));
  EXPECT_EQ(record.first_token, milliseconds(50));
  EXPECT_EQ(record.finished, milliseconds(60));
  EXPECT_TRUE(record.cut_by_length);
  EXPECT_EQ(record.status, CallStatus::kDone);
  EXPECT_EQ(h.record().subtasks.front().finished, milliseconds(60));
  EXPECT_EQ(h.record().wall, milliseconds(60));
}

}  // namespace
}  // namespace hf
