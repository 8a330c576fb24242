// Goal: a written plan is read back as it was; anything else is refused with words that say where.
// Method: round trips, then one wrong document per rule.
#include "wire/plan_json.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plan/plan_reader.h"

namespace hf::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kMarkup =
    "<Plan><Step ID='1' Role='explain' Task='A \"b\" é' Rely='' Token='40' Difficulty='3'/>"
    "<Step ID='2a' Role='analyze' Task='B' Rely='1'/><Step ID='3' Role='analyze' Task='C' "
    "Rely='9'/>"
    "<Step ID='4' Role='generate' Task='D' Rely='1,2a'/></Plan>";

GivenPlan good(std::string_view text) {
  auto plan = read_plan(text, "p.json", 7);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message);
  return plan.value_or(GivenPlan{});
}

std::string fault(std::string_view text, std::uint32_t max_steps = 7) {
  const auto plan = read_plan(text, "p.json", max_steps);
  if (plan) return "accepted";
  EXPECT_EQ(plan.error().code, Code::kInvalidInput);
  EXPECT_THAT(plan.error().message, HasSubstr("p.json: "));
  return plan.error().message.substr(8);
}

std::string fault_of_step(std::string_view members) {
  return fault(fmt::format(R"({{"steps": [{{"id": "1", "task": "A"}}, {{{}}}]}})", members));
}

TEST(PlanJson, WritesTheDocumentedObjectWithoutPrunedSteps) {
  const GivenPlan plan = good(kMarkup);
  const json::object object = plan_json(plan.steps, plan.end, plan.repairs, "planner");
  EXPECT_EQ(find_string(object, "source"), "planner");
  EXPECT_EQ(find_bool(object, "truncated"), false);
  EXPECT_EQ(to_text(object.at("pruned")), R"(["3"])");
  EXPECT_EQ(find_array(object, "repairs")->size(), 2U);
  const json::array& steps = *find_array(object, "steps");
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(to_text(steps[2]), R"({"id":"4","role":"generate","task":"D","relies_on":["1","2a"],)"
                               R"("expected_tokens":0,"difficulty":0})");
}

TEST(PlanJson, WhatIsWrittenIsReadBack) {
  const GivenPlan first = good(kMarkup);
  const json::object object = plan_json(first.steps, first.end, first.repairs, "planner");
  const GivenPlan second = good("\n " + to_text(object, Layout::kIndented));
  EXPECT_EQ(to_text(plan_json(second.steps, second.end, {}, "x")), to_text([&] {
              json::object same = object;
              same["source"] = "x";
              same["repairs"] = json::array();
              same["pruned"] = json::array();
              return same;
            }()));
  EXPECT_EQ(second.end.sink, SubtaskId{2});
  EXPECT_EQ(second.steps[0].subtask.expected, Tokens(40));
  EXPECT_EQ(second.steps[0].difficulty, 3);
}

TEST(PlanJson, AReceiptMayStandForItsPlan) {
  EXPECT_EQ(good(R"({"version": 1, "plan": {"steps": [{"id": "1", "task": "A"}]}})").steps.size(),
            1U);
}

TEST(PlanJson, WithoutRolesTheOnlyLastStepAnswers) {
  const GivenPlan plan = good(
      R"({"steps": [{"id": "x", "task": "A"}, {"id": "y", "task": "B", "relies_on": ["x"]}]})");
  EXPECT_EQ(plan.end.sink, SubtaskId{1});
  EXPECT_EQ(plan.steps[1].subtask.role, Role::kGenerate);
}

TEST(PlanJson, MarkupIsRepairedAndSaysSo) {
  const GivenPlan plan = good(kMarkup);
  EXPECT_THAT(plan.repairs, ElementsAre("step 3: dropped reliance on 9, which comes later",
                                        "step 3: pruned, the answer does not rely on it"));
}

TEST(PlanJson, RefusesWhatIsNoPlan) {
  EXPECT_EQ(fault(""), "the file is empty.");
  EXPECT_THAT(fault("just words"), HasSubstr("no plan"));
  EXPECT_THAT(fault("{\"steps\": ["), HasSubstr(""));
  EXPECT_EQ(fault("{}"), "the plan has no list 'steps'.");
  EXPECT_EQ(fault(R"({"steps": {}})"), "the plan has no list 'steps'.");
  EXPECT_EQ(fault(R"({"steps": []})"), "the plan has an empty list 'steps'.");
  EXPECT_EQ(fault(R"({"steps": [{"id":"1","task":"A"},{"id":"2","task":"B"}]})", 1),
            "the plan has 2 steps, at most 1 are allowed.");
}

TEST(PlanJson, RefusesStepsThatAreWrongAndSaysWhich) {
  EXPECT_EQ(fault(R"({"steps": [7]})"), "step 1 of the plan is not an object.");
  EXPECT_EQ(fault_of_step(R"("task": "B")"),
            "step 2 of the plan needs an 'id' that is a non-empty string.");
  EXPECT_THAT(fault_of_step(R"("id": 2, "task": "B")"), HasSubstr("needs an 'id'"));
  EXPECT_THAT(fault_of_step(R"("id": "1", "task": "B")"), HasSubstr("has the id '1' of another"));
  EXPECT_THAT(fault_of_step(R"("id": "a\nb", "task": "B")"), HasSubstr("control characters"));
  EXPECT_THAT(fault_of_step(fmt::format(R"("id": "{}", "task": "B")", std::string(41, 'x'))),
              HasSubstr("more than 40 bytes"));
  EXPECT_THAT(fault_of_step(R"("id": "2")"), HasSubstr("needs a 'task'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "")"), HasSubstr("needs a 'task'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "a\u0007")"), HasSubstr("control characters"));
  EXPECT_THAT(fault_of_step(fmt::format(R"("id": "2", "task": "{}")", std::string(4097, 'x'))),
              HasSubstr("more than 4096 bytes"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "role": "boss")"), HasSubstr("'role'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "role": 1)"), HasSubstr("'role'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "relies_on": "1")"),
              HasSubstr("list of ids"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "relies_on": [1])"),
              HasSubstr("list of ids"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "relies_on": ["2"])"),
              HasSubstr("relies on '2', which is not an earlier step"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "relies_on": ["1", "1"])"),
              HasSubstr("relies on '1' twice"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "expected_tokens": -1)"),
              HasSubstr("'expected_tokens'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "difficulty": 10)"),
              HasSubstr("'difficulty'"));
  EXPECT_THAT(fault_of_step(R"("id": "2", "task": "B", "depends": [])"),
              HasSubstr("unknown key 'depends'"));
}

TEST(PlanJson, RefusesGraphsWithoutOneAnswer) {
  EXPECT_THAT(fault(R"({"steps": [{"id":"1","task":"A"},{"id":"2","task":"B"}]})"),
              HasSubstr("exactly one last step"));
  EXPECT_THAT(fault(R"({"steps": [{"id":"1","task":"A","role":"generate"},
                                  {"id":"2","task":"B","role":"generate"}]})"),
              HasSubstr("exactly one last step"));
  EXPECT_THAT(
      fault(R"({"steps": [{"id":"1","task":"A"},{"id":"2","task":"B","role":"generate"}]})"),
      HasSubstr("step '1' does not lead to the answer"));
}

}  // namespace
}  // namespace hf::wire
