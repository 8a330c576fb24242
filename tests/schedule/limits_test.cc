// Goal: budgets, deadlines and places hold, and the answer says what they cost it.
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

Budget usd(std::int64_t micro) {
  return {.usd = PicoUsd(micro * 1'000'000), .cloud_tokens = {}, .deadline = {}};
}
Budget deadline(Duration time) {
  return {.usd = {}, .cloud_tokens = {}, .deadline = time};
}

TEST(Budgets, UseTheEdgeWhereTheCloudCannotBeAffordedAndSaySo) {
  Harness h("cloud");
  h.arrive_with_plan(usd(100));
  h.step(0, {});
  EXPECT_EQ(h.only<StartCall>().endpoint, kEdge);
  EXPECT_THAT(h.record().degraded, ElementsAre("budget: subtask #1 ran on the edge"));
  EXPECT_EQ(h.record().subtasks[0].decision->reason,
            "always cloud; no cloud endpoint can do it; the budget refuses cloud");
}

TEST(Budgets, AreNotMentionedWhenTheEdgeWasWantedAnyway) {
  Harness h("edge");
  h.arrive_with_plan(usd(0));
  h.step(0, {});
  EXPECT_EQ(h.only<StartCall>().endpoint, kEdge);
  EXPECT_THAT(h.record().degraded, IsEmpty());
}

TEST(Budgets, WaitForWhatIsHeldWhereThereIsNoEdge) {
  Harness h("cloud", cloud_only());
  h.arrive_with_plan(usd(7000));  // One subtask at worst: 6.4 thousandths.
  h.step(0, {});
  const CallId first = h.only<StartCall>().call;
  h.step(1, {});
  EXPECT_THAT(h.commands, IsEmpty());
  h.finish_call(first);
  EXPECT_EQ(h.only<StartCall>().subtask, node(1));
}

TEST(Budgets, LeaveOutAStepThatCanNeverBePaidFor) {
  Harness h("cloud", cloud_only());
  h.arrive_with_plan(usd(8500));
  h.step(0, {});
  h.finish_call(h.only<StartCall>().call, usage(1000, 100));
  h.step(1, {});
  EXPECT_EQ(h.state(1), SubtaskState::kSkipped);
  EXPECT_THAT(h.record().degraded, ElementsAre(HasSubstr("budget: subtask #2 was left out")));
}

TEST(Budgets, RefuseTheQueryWithTheNumbers) {
  Harness h("cloud", cloud_only());
  h.arrive_whole(usd(1000));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kRefused);
  EXPECT_EQ(
      h.record().trouble,
      "No answer can be paid for: the query budget allows $0.001, of which $0 is spent and $0 "
      "held, but $0.008392 is needed at worst.");
  EXPECT_THAT(h.record().calls, IsEmpty());
}

TEST(Budgets, OfAllQueriesTogetherBindToo) {
  Scheduler::Options options = cloud_only();
  options.process.cloud_tokens = Tokens(3000);
  Harness h("cloud", options);
  h.arrive_whole();
  const CallId first = h.only<StartCall>().call;
  h.arrive_whole({}, QueryId{2});
  EXPECT_THAT(h.commands, IsEmpty());
  h.finish_call(first, usage(500, 100));
  const auto finished = h.all<FinishQuery>();
  ASSERT_EQ(finished.size(), 2U);  // Now it is certain that the second can never be paid for.
  EXPECT_EQ(finished[0].outcome, Outcome::kAnswered);
  EXPECT_EQ(finished[1].query, QueryId{2});
  EXPECT_EQ(finished[1].outcome, Outcome::kRefused);
  EXPECT_THAT(h.record(QueryId{2}).trouble, HasSubstr("the process budget allows 3000"));
}

TEST(Deadlines, AreTwoTimersForAPlannedQueryAndOneForAWholeOne) {
  Harness planned;
  planned.arrive({.budget = deadline(seconds(10)), .features = {}});
  const auto timers = planned.all<SetTimer>();
  ASSERT_EQ(timers.size(), 2U);
  EXPECT_EQ(timers[0].at, TimePoint(seconds(10)));
  EXPECT_EQ(timers[1].at, TimePoint(seconds(8)));
  EXPECT_EQ(planned.only<StartCall>().give_up, TimePoint(seconds(8)));
  Harness whole;
  whole.arrive_whole(deadline(seconds(10)));
  EXPECT_EQ(whole.only<SetTimer>().at, TimePoint(seconds(10)));
}

TEST(Deadlines, KeepMoreTimeForTheAnswerWhenItIsKnownToBeSlow) {
  Harness h("edge", with([](auto& o) { o.sink_max_tokens = Tokens(300); }));
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.pass(milliseconds(500));
  h.send(CallFirstToken{call});
  h.pass(seconds(1));
  h.finish_call(call, usage(10, 100));  // 10 ms a token: half a second and three for the answer.
  h.arrive({.query = QueryId{2}, .budget = deadline(seconds(10)), .features = {}});
  EXPECT_EQ(h.all<SetTimer>()[1].at, h.now + milliseconds(6500));
  h.arrive({.query = QueryId{3}, .budget = deadline(seconds(4)), .features = {}});
  EXPECT_EQ(h.all<SetTimer>()[1].at, h.now + seconds(2));
}

TEST(Deadlines, LeaveOutWhatIsLateAndStartTheAnswer) {
  Harness h;
  h.arrive({.budget = deadline(seconds(10)), .plan_given = true, .features = {}});
  const std::uint64_t soft = h.all<SetTimer>()[1].timer;
  h.step(0, {});
  const CallId done = h.only<StartCall>().call;
  h.step(1, {});
  const CallId late = h.only<StartCall>().call;
  h.step(2, {1});
  h.step(3, {0, 2}, Role::kGenerate);
  h.end_plan(3);
  h.finish_call(done);
  h.pass(seconds(8));
  h.send(TimerFired{soft});
  EXPECT_EQ(h.only<CancelCall>().call, late);
  const auto sink = h.only<StartCall>();
  EXPECT_EQ(sink.prompt, Prompt::kSink);
  EXPECT_THAT(sink.inputs, ElementsAre(node(0)));
  EXPECT_EQ(h.state(1), SubtaskState::kSkipped);
  EXPECT_EQ(h.state(2), SubtaskState::kSkipped);
  EXPECT_THAT(h.record().degraded, ElementsAre("deadline: subtask #2 was left out",
                                               "deadline: subtask #3 was left out"));
}

TEST(Deadlines, GiveUpAPlanThatIsNotThereInTime) {
  Harness h;
  h.arrive({.budget = deadline(seconds(10)), .features = {}});
  const CallId plan = h.only<StartCall>().call;
  const std::uint64_t soft = h.all<SetTimer>()[1].timer;
  h.pass(seconds(8));
  h.send(TimerFired{soft});
  EXPECT_EQ(h.only<CancelCall>().call, plan);
  EXPECT_EQ(h.only<StartCall>().prompt, Prompt::kWhole);
  h.step(0, {});  // The planner's last words change nothing.
  h.end_plan(0);
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(Deadlines, EndTheQueryWithoutAnAnswer) {
  Harness h;
  h.arrive_whole(deadline(seconds(2)));
  const std::uint64_t hard = h.only<SetTimer>().timer;
  h.pass(seconds(2));
  h.send(TimerFired{hard});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDeadline);
  EXPECT_EQ(h.record().trouble, "The deadline of 2 s passed before there was an answer.");
  h.send(TimerFired{hard});
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(Deadlines, KeepAnAnswerThatHadBegun) {
  Harness h;
  h.arrive_whole(deadline(seconds(2)));
  h.send(CallFirstToken{h.only<StartCall>().call});
  h.pass(seconds(2));
  h.send(TimerFired{1});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDegraded);
  EXPECT_THAT(h.record().degraded, ElementsAre("deadline: the answer is cut off"));
}

TEST(Deadlines, OfNothingAndOfForeverAreAccepted) {
  Harness h;
  h.arrive_whole(deadline(Duration(0)));
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kDeadline);
  EXPECT_THAT(h.all<StartCall>(), IsEmpty());
  h.arrive_whole(deadline(Duration::max()), QueryId{2});
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
}

TEST(Places, MakeCallsWaitAndGoToTheNextInLine) {
  Scheduler::Options options;
  options.endpoints = {{.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 2}};
  Harness h("edge", options);
  std::vector<CallId> calls;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    h.arrive_whole({}, QueryId{id});
    for (const StartCall& each : h.all<StartCall>()) calls.push_back(each.call);
  }
  EXPECT_EQ(calls.size(), 2U);
  h.finish_call(calls[1]);
  EXPECT_EQ(h.only<StartCall>().query, QueryId{3});
  h.send(CancelAsked{QueryId{1}});  // Gives its place back at once.
  EXPECT_EQ(h.only<StartCall>().query, QueryId{4});
}

TEST(Places, ForQueriesEndInAClearRefusal) {
  Harness h("edge", with([](auto& o) { o.queries_max = 1; }));
  h.arrive_whole();
  const CallId call = h.only<StartCall>().call;
  h.arrive_whole({}, QueryId{2});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kUnavailable);
  EXPECT_EQ(h.record(QueryId{2}).trouble, "All 1 places for queries are taken; try again later.");
  h.finish_call(call);
  h.arrive_whole({}, QueryId{3});
  EXPECT_EQ(h.all<StartCall>().size(), 1U);
}

TEST(Cancelling, StopsEverythingAndEndsEverySubtask) {
  Harness h;
  h.arrive();
  const CallId plan = h.only<StartCall>().call;
  h.step(0, {});
  const CallId step = h.only<StartCall>().call;
  h.step(1, {0});
  h.send(CancelAsked{kQuery});
  std::vector<CallId> stopped;
  for (const CancelCall& each : h.all<CancelCall>()) stopped.push_back(each.call);
  EXPECT_THAT(stopped, ElementsAre(plan, step));
  EXPECT_TRUE(std::holds_alternative<FinishQuery>(h.commands.back()));
  EXPECT_EQ(h.state(0), SubtaskState::kSkipped);
  EXPECT_EQ(h.state(1), SubtaskState::kSkipped);
}

TEST(Cancelling, DuringABackOffLeavesNothingBehind) {
  Harness h;
  h.arrive_whole();
  h.fail_call(h.only<StartCall>().call, Failure::kServer);
  const std::uint64_t timer = h.only<SetTimer>().timer;
  h.send(CancelAsked{kQuery});
  EXPECT_EQ(h.only<FinishQuery>().outcome, Outcome::kCancelled);
  h.pass(seconds(1));
  h.send(TimerFired{timer});
  EXPECT_THAT(h.commands, IsEmpty());
}

TEST(SchedulerDeathTest, ForgetsOnlyWhatIsFinished) {
  Harness h;
  h.arrive_whole();
  EXPECT_DEATH(h.scheduler().forget(kQuery), "is_over");
  EXPECT_DEATH(h.arrive_whole(), "nullptr");
}

}  // namespace
}  // namespace hf
