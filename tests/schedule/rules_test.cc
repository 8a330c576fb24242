// Goal: what a query says of where it may go and how long its answer may be is kept everywhere.
// Method: play the driver, event by event, and look at the commands and the record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace hf {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(QueryRules, OfEndpointsOverrideThePolicy) {
  for (const EndpointId only : {kEdge, kCloud}) {
    for (const char* policy : {"edge", "cloud", "hybridflow"}) {
      Harness h(policy);
      h.arrive({.plan = false, .among = {only}});
      EXPECT_EQ(h.only<StartCall>().endpoint, only) << policy;
      EXPECT_FALSE(h.only<StartCall>().is_attempt) << policy;
    }
  }
}

TEST(QueryRules, OfEndpointsHoldForThePlannerToo) {
  Harness h("edge");
  h.arrive({.plan = true, .among = {kCloud}});
  EXPECT_EQ(h.only<StartCall>().kind, CallKind::kPlanner);
  EXPECT_EQ(h.only<StartCall>().endpoint, kCloud);
}

TEST(QueryRules, OfEndpointsLeaveNowhereToFallBackTo) {
  Harness h("edge");
  h.arrive({.plan = false, .among = {kEdge}});
  h.fail_call(h.only<StartCall>().call, Failure::kUnauthorized);
  EXPECT_THAT(h.all<StartCall>(), IsEmpty());
  EXPECT_EQ(h.record().outcome, Outcome::kUnavailable);
  EXPECT_THAT(h.record().trouble, HasSubstr("edge: it refused the key"));
}

TEST(QueryRules, AndPrivacyTogetherMayLeaveNothing) {
  Harness h("edge");
  h.arrive({.plan = false, .local_only = true, .among = {kCloud}});
  EXPECT_THAT(h.all<StartCall>(), IsEmpty());
  EXPECT_EQ(h.record().outcome, Outcome::kUnavailable);
}

TEST(QueryRules, CapTheAnswerAndNothingElse) {
  Harness h("edge");
  h.arrive({.plan = true, .plan_given = true, .answer_tokens = Tokens(10)});
  h.step(0, {});
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(256));
  const CallId first = h.only<StartCall>().call;
  h.step(1, {0}, Role::kGenerate);
  h.end_plan(1);
  h.finish_call(first);
  EXPECT_EQ(h.only<StartCall>().prompt, Prompt::kSink);
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(10));
}

TEST(QueryRules, DoNotRaiseTheCap) {
  Harness h("edge");
  h.arrive({.plan = false, .answer_tokens = Tokens(1'000'000)});
  EXPECT_EQ(h.only<StartCall>().max_tokens, Tokens(512));
}

TEST(QueryRules, OfAShortAnswerMakeItCheaperAtWorst) {
  // A thousandth of a dollar is enough for 100 bytes and their overhead with an answer of 1 token.
  const Budget budget{.usd = PicoUsd(4'500'000'000), .cloud_tokens = {}, .deadline = {}};
  Harness long_answer("cloud", cloud_only());
  long_answer.arrive({.budget = budget, .plan = false});
  EXPECT_EQ(long_answer.record().outcome, Outcome::kRefused);
  Harness short_answer("cloud", cloud_only());
  short_answer.arrive({.budget = budget, .plan = false, .answer_tokens = Tokens(1)});
  EXPECT_EQ(short_answer.only<StartCall>().max_tokens, Tokens(1));
  EXPECT_EQ(short_answer.only<StartCall>().worst.usd,
            PicoUsd((2048 + 100) * 2'000'000LL + 8'000'000));
}

}  // namespace
}  // namespace hf
