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
    options_.endpoints = {{.name = "edge", .tier = Tier::kEdge, .price = {}, .max_in_flight = 1}};
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
  void step(std::uint32_t id, std::vector<SubtaskId> inputs) {
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
  checker_->check_end();
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
  checker_->check_end();
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

}  // namespace
}  // namespace hf::sim
