// Goal: a receipt gives the choices that were made and what edge and cloud say of one another.
// Method: receipts by hand, with attempts, rivals and fallbacks.
#include "eval/past_choices.h"

#include <gtest/gtest.h>

namespace hf::eval {
namespace {

constexpr SubtaskId kOnly{0};
constexpr EndpointId kEdge{0};
constexpr EndpointId kCloud{1};

CallRecord done_call(EndpointId endpoint) {
  CallRecord call;
  call.subtask = kOnly;
  call.endpoint = endpoint;
  call.status = CallStatus::kDone;
  return call;
}

Alternative alternative(EndpointId endpoint, Action action, double chance, double worth) {
  Alternative made;
  made.endpoint = endpoint;
  made.action = action;
  made.chance = chance;
  made.worth = worth;
  return made;
}

Decision decision(EndpointId endpoint) {
  Decision made;
  made.endpoint = endpoint;
  made.tier = endpoint == kCloud ? Tier::kCloud : Tier::kEdge;
  made.edge_chance = 0.5;
  made.cloud_chance = 0.8;
  made.utility = 0.4;
  made.threshold = 0.3;
  made.alternatives.push_back(alternative(kEdge, Action::kRun, 0.45, 0));
  made.alternatives.push_back(alternative(kCloud, Action::kRun, 0.85, 0.1));
  return made;
}

Receipt receipt_of(const Decision& made) {
  Receipt receipt;
  receipt.endpoints.resize(2);
  receipt.endpoints[index_of(kCloud)].tier = Tier::kCloud;
  SubtaskRecord& subtask = receipt.record.subtasks.emplace_back();
  subtask.state = SubtaskState::kDone;
  subtask.decision = made;
  receipt.record.calls.push_back(done_call(made.endpoint));
  receipt.outputs = {"Answer: 7"};
  receipt.attempts = {""};
  return receipt;
}

TEST(PastChoice, HasTheNumbersOfTheDecision) {
  Decision made = decision(kCloud);
  made.alternatives.push_back(alternative(kEdge, Action::kAttempt, 0.5, 0.07));
  const auto choice = past_choice(receipt_of(made), kOnly);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->tier, Tier::kCloud);
  EXPECT_TRUE(choice->was_open);
  EXPECT_FALSE(choice->was_tried);
  EXPECT_EQ(choice->edge_chance, 0.5);
  EXPECT_EQ(choice->edge_served, 0.45);
  EXPECT_EQ(choice->cloud_served, 0.85);
  EXPECT_EQ(choice->attempt_worth, 0.07);
}

TEST(PastChoice, TakesTheGainWhereNoAlternativesAreNamed) {
  Decision made = decision(kCloud);
  made.alternatives.clear();
  const auto choice = past_choice(receipt_of(made), kOnly);
  ASSERT_TRUE(choice);
  EXPECT_DOUBLE_EQ(choice->cloud_served - choice->edge_served, 0.4);
}

TEST(PastChoice, OfARivalsResultIsNoOpenOne) {
  Receipt receipt = receipt_of(decision(kEdge));
  receipt.record.calls = {done_call(kCloud)};
  const auto choice = past_choice(receipt, kOnly);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->tier, Tier::kCloud);
  EXPECT_FALSE(choice->was_open);
}

TEST(PastChoice, IsThereOnlyForAResult) {
  Receipt receipt = receipt_of(decision(kEdge));
  receipt.record.subtasks[0].state = SubtaskState::kFailed;
  EXPECT_FALSE(past_choice(receipt, kOnly));
  receipt.record.subtasks[0].state = SubtaskState::kDone;
  receipt.record.subtasks[0].decision.reset();
  EXPECT_FALSE(past_choice(receipt, kOnly));
}

TEST(PastChoice, WithoutAPredictionIsNotOpen) {
  Decision made = decision(kEdge);
  made.edge_chance = 0;
  EXPECT_FALSE(past_choice(receipt_of(made), kOnly)->was_open);
}

Receipt escalated() {
  Receipt receipt = receipt_of(decision(kCloud));
  SubtaskRecord& subtask = receipt.record.subtasks[0];
  subtask.decision->edge_chance = 0.3;
  subtask.earlier.push_back(decision(kEdge));
  subtask.earlier[0].action = Action::kAttempt;
  subtask.attempt.emplace();
  receipt.record.calls.insert(receipt.record.calls.begin(), done_call(kEdge));
  receipt.attempts = {"So it is 7.\nAnswer: 7"};
  return receipt;
}

TEST(PastChoice, AfterAnAttemptIsTheReview) {
  const auto choice = past_choice(escalated(), kOnly);
  ASSERT_TRUE(choice);
  EXPECT_TRUE(choice->was_tried);
  EXPECT_TRUE(choice->was_open);
  EXPECT_EQ(choice->edge_chance, 0.3);
}

TEST(PastChoice, OfAnAttemptThatStoodForWantOfAnythingElseIsNotOpen) {
  Receipt receipt = escalated();
  SubtaskRecord& subtask = receipt.record.subtasks[0];
  subtask.decision = subtask.earlier[0];
  subtask.decision->action = Action::kRun;
  const auto choice = past_choice(receipt, kOnly);
  ASSERT_TRUE(choice);
  EXPECT_FALSE(choice->was_tried);
  EXPECT_FALSE(choice->was_open);
}

TEST(Agreement, ComparesFinalAnswersOfEdgeAndCloud) {
  Receipt receipt = escalated();
  EXPECT_EQ(agreement(receipt, kOnly), 1);
  receipt.attempts[0] = "Answer: 8";
  EXPECT_EQ(agreement(receipt, kOnly), 0);
  receipt.attempts[0] = "";
  EXPECT_FALSE(agreement(receipt, kOnly));
}

TEST(Agreement, IsNotToBeHadWhereTheAttemptStands) {
  Receipt receipt = escalated();
  receipt.record.subtasks[0].decision->tier = Tier::kEdge;
  EXPECT_FALSE(agreement(receipt, kOnly));
  EXPECT_FALSE(agreement(receipt_of(decision(kCloud)), kOnly));
}

}  // namespace
}  // namespace hf::eval
