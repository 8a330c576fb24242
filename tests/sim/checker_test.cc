// Goal: the checker sees a broken rule, so that its silence means something.
// Method: tell it what a wrong scheduler would do.
#include "sim/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace hf::sim {
namespace {

using testing::Contains;
using testing::HasSubstr;

class CheckerTest : public testing::Test {
 protected:
  CheckerTest() {
    options_.endpoints = {
        {.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 1, .is_local = true}};
    router_ = std::move(*make_router("edge", {}));
    scheduler_ = std::make_unique<Scheduler>(options_, *router_);
    checker_ = std::make_unique<Checker>(options_);
  }

  // Lets the real scheduler act and shows the checker all of it.
  void happen(const Event& event) {
    std::vector<Command> commands;
    checker_->saw(now_, event);
    scheduler_->step(now_, event, commands);
    for (const Command& command : commands) checker_->saw(now_, command, *scheduler_);
    checker_->check(now_, *scheduler_);
  }
  void arrive(const Budget& budget = {}) {
    happen(QueryArrived{
        .query = QueryId{1}, .budget = budget, .plan = true, .plan_given = true, .features = {}});
  }
  void arrive_second() {
    happen(QueryArrived{
        .query = QueryId{2}, .budget = {}, .plan = true, .plan_given = true, .features = {}});
    happen(StepParsed{.query = QueryId{2}, .id = SubtaskId{0}, .subtask = {}, .features = {}});
  }
  void step(std::uint32_t id, const SubtaskIds& inputs) {
    happen(StepParsed{.query = QueryId{1},
                      .id = static_cast<SubtaskId>(id),
                      .subtask = {.role = Role::kAnalyze, .relies_on = inputs, .expected = {}},
                      .features = {}});
  }
  void claim(const Command& command) { checker_->saw(now_, command, *scheduler_); }

  Scheduler::Options options_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Checker> checker_;
  TimePoint now_{};
};

StartCall start(std::uint64_t call, std::uint32_t subtask) {
  StartCall command;
  command.call = static_cast<CallId>(call);
  command.query = QueryId{1};
  command.subtask = static_cast<SubtaskId>(subtask);
  command.max_tokens = Tokens(10);
  return command;
}

TEST_F(CheckerTest, IsSilentWhenAllIsWell) {
  arrive();
  step(0, {});
  happen(PlanEnded{.query = QueryId{1}, .sink = SubtaskId{0}, .pruned = {}});
  happen(CallDone{.call = CallId{1}, .usage = Usage{}, .signals = {}});
  checker_->check_end(*scheduler_);
  EXPECT_TRUE(checker_->violations().empty());
}

TEST_F(CheckerTest, SeesAStartBeforeAnInputHasEndedAndTooManyCalls) {
  arrive();
  step(0, {});
  step(1, {SubtaskId{0}});
  claim(start(2, 1));
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("before its input ended")));
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("more calls than it allows")));
}

TEST_F(CheckerTest, SeesAStartAfterTheEndAndASecondEnd) {
  arrive();
  step(0, {});
  happen(CancelAsked{QueryId{1}});
  claim(start(2, 0));
  claim(FinishQuery{QueryId{1}, Outcome::kCancelled});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("after its query was finished")));
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("finished twice")));
}

TEST_F(CheckerTest, SeesAQueryThatNeverFinishes) {
  arrive();
  checker_->check_end(*scheduler_);
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("never finished")));
}

TEST_F(CheckerTest, SeesAFinishAfterTheDeadline) {
  arrive({.usd = {}, .cloud_tokens = {}, .deadline = std::chrono::seconds(1)});
  now_ += std::chrono::seconds(2);
  happen(CancelAsked{QueryId{1}});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("after its deadline")));
}

TEST_F(CheckerTest, SeesMoneyThatTheLedgerDoesNotKnowOf) {
  options_.endpoints[0].price.prompt = PicoUsd(1);  // The scheduler was told another price.
  arrive();
  step(0, {});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("held is wrong")));
}

TEST_F(CheckerTest, SeesWhatMustStayLocalInTheCloud) {
  options_.endpoints[0].is_local = false;  // The scheduler believes it is.
  happen(QueryArrived{.query = QueryId{1},
                      .budget = {},
                      .plan = true,
                      .plan_given = true,
                      .local_only = true,
                      .features = {}});
  step(0, {});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("must stay local")));
}

TEST_F(CheckerTest, SeesASecondCallAndAHedgeWithoutAFirst) {
  arrive();
  step(0, {});
  StartCall again = start(2, 0);
  claim(again);
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("more calls than one and a hedge")));
  arrive_second();
  StartCall hedge = start(3, 0);
  hedge.query = QueryId{2};
  hedge.kind = CallKind::kHedge;
  const std::size_t before = checker_->violations().size();
  claim(hedge);
  EXPECT_GT(checker_->violations().size(), before);
}

TEST_F(CheckerTest, SeesACancelOfWhatIsOver) {
  arrive();
  step(0, {});
  claim(CancelCall{CallId{1}});
  EXPECT_TRUE(checker_->violations().empty());
  claim(CancelCall{CallId{1}});
  claim(CancelCall{CallId{9}});
  EXPECT_EQ(checker_->violations().size(), 2U);
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("that was over was cancelled")));
}

TEST_F(CheckerTest, SeesACallThatDoesNotFitItsBudget) {
  options_.endpoints[0].price.prompt = PicoUsd(1);  // The scheduler believes it is free.
  arrive({.usd = PicoUsd(10), .cloud_tokens = {}, .deadline = {}});
  step(0, {});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("its dollars do not allow")));
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("too many dollars")));
}

TEST_F(CheckerTest, SeesACallThatOutlivesItsSubtaskAndItsQuery) {
  arrive();
  step(0, {});
  // A hedge that the scheduler forgets: its rival is done, and nobody cancels it.
  StartCall hedge = start(2, 0);
  hedge.kind = CallKind::kHedge;
  claim(hedge);
  happen(PlanEnded{.query = QueryId{1}, .sink = SubtaskId{0}, .pruned = {}});
  happen(CallDone{.call = CallId{1}, .usage = Usage{}, .signals = {}});
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("a call for it runs on")));
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("has a running call")));
}

TEST_F(CheckerTest, SeesTheWrongInputs) {
  arrive();
  step(0, {});
  step(1, {SubtaskId{0}});
  StartCall command = start(2, 1);
  command.inputs = {SubtaskId{0}};  // It is not done.
  claim(command);
  EXPECT_THAT(checker_->violations(), Contains(HasSubstr("not those that are done")));
}

TEST_F(CheckerTest, BelievesTheFirstReportOfACancelledCallOnly) {
  options_.endpoints[0].price.prompt = PicoUsd(1);
  arrive();
  happen(CancelAsked{QueryId{1}});
  const std::size_t before = checker_->violations().size();
  happen(CallDone{.call = CallId{1}, .usage = Usage{}, .signals = {}});
  happen(CallDone{.call = CallId{1}, .usage = Usage{}, .signals = {}});
  EXPECT_EQ(checker_->violations().size(), before);
}

TEST_F(CheckerTest, WaitsForADeadlineThatAJumpOfTheClockSkipped) {
  arrive({.usd = {}, .cloud_tokens = {}, .deadline = std::chrono::seconds(1)});
  checker_->jumped(now_, now_ + std::chrono::seconds(5));
  now_ += std::chrono::seconds(5);
  happen(CancelAsked{QueryId{1}});
  EXPECT_TRUE(checker_->violations().empty());
}

TEST_F(CheckerTest, KeepsAHandfulOfViolations) {
  for (int i = 0; i < 100; ++i) checker_->complain("something is wrong");
  EXPECT_EQ(checker_->violations().size(), 20U);
}

}  // namespace
}  // namespace hf::sim
