// Goal: whatever a planner writes, good steps come out early, bad ones are repaired and told.
// Method: one plan text per case, read whole and byte by byte; both must agree.
#include "plan/plan_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "plan_text.h"

namespace hf {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Reads in both ways, expects the same, and gives the result.
ReadPlan read(std::string_view text) {
  const ReadPlan plan = read_plan(text);
  EXPECT_EQ(everything(plan), everything(read_plan(text, 1))) << text;
  return plan;
}

std::string step(std::string_view id, std::string_view role, std::string_view rely,
                 std::string_view task = "") {
  const std::string text =
      task.empty() ? fmt::format("Task {} of {}", id, role) : std::string(task);
  return fmt::format(R"(<Step ID="{}" Role="{}" Task="{}" Rely="{}" Token="40" Difficulty="3"/>)",
                     id, role, text, rely) +
         "\n";
}

std::string in_plan(std::string_view steps) {
  return fmt::format("<Plan>\n{}</Plan>\n", steps);
}

const std::string kFirst = step("1", "explain", "");
const std::string kGood = in_plan(kFirst + step("2", "analyze", "1") + step("3", "analyze", "1") +
                                  step("4", "generate", "2,3"));

TEST(PlanReader, AGoodPlanIsReadWithoutRepairs) {
  const ReadPlan plan = read(kGood);
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kComplete);
  EXPECT_EQ(plan.end.fault, "");
  EXPECT_THAT(plan.repairs, IsEmpty());
  EXPECT_EQ(plan.steps[1].task, "Task 2 of analyze");
  EXPECT_EQ(plan.steps[1].subtask.expected, Tokens(40));
  EXPECT_EQ(plan.steps[1].difficulty, 3);
}

TEST(PlanReader, AStepIsReleasedWithTheLastByteOfItsTag) {
  PlanReader reader({});
  const std::string first = "text <Plan>" + std::string(kFirst.substr(0, kFirst.size() - 1));
  EXPECT_THAT(reader.push(first.substr(0, first.size() - 1)), IsEmpty());
  const auto released = reader.push(">");
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].label, "1");
  EXPECT_FALSE(reader.is_closed());
}

TEST(PlanReader, TheGenerateStepWaitsForTheEnd) {
  const ReadPlan plan = read_plan(kGood);
  EXPECT_EQ(plan.released.size(), 3U);
  ASSERT_EQ(plan.at_end.size(), 1U);
  EXPECT_EQ(plan.at_end[0].label, "4");
}

TEST(PlanReader, TheEndTagClosesAndTheRestIsIgnored) {
  PlanReader reader({});
  reader.push(kGood);
  EXPECT_TRUE(reader.is_closed());
  EXPECT_THAT(reader.push(in_plan(step("9", "analyze", ""))), IsEmpty());
  EXPECT_EQ(reader.steps().size(), 3U);
  EXPECT_EQ(reader.finish(true).plan.outcome, PlanOutcome::kComplete);
}

// ---- The table of odd plans ----

TEST(PlanReader, AForwardReferenceIsDroppedAndTheExplainStepStays) {
  const ReadPlan plan = read(in_plan(kFirst + step("2", "analyze", "3") +
                                     step("3", "analyze", "1") + step("4", "generate", "2,3")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
  EXPECT_THAT(plan.repairs, ElementsAre("step 2: dropped reliance on 3, which comes later"));
  EXPECT_EQ(plan.released.size(), 3U);
}

TEST(PlanReader, AReferenceThatNeverComesIsDroppedWhenThePlanEnds) {
  const ReadPlan plan =
      read(in_plan(kFirst + step("5", "analyze", "1,3") + step("6", "generate", "5")));
  ASSERT_EQ(shape(plan), "1:explain[] 5:analyze[1] 6:generate[5] | sink 6");
  EXPECT_THAT(plan.repairs, ElementsAre("step 5: dropped reliance on 3, which does not exist"));
  EXPECT_EQ(plan.released.size(), 1U);
}

TEST(PlanReader, WithoutRelyAStepReliesOnTheExplainStep) {
  const ReadPlan plan = read(in_plan(kFirst + R"(<Step ID="2" Role="analyze" Task="B"/>)" +
                                     R"(<Step ID="3" Role="analyze" Task="C"/>)" +
                                     R"(<Step ID="4" Role="generate" Task="D"/>)"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
}

TEST(PlanReader, IdsAreOpaque) {
  const ReadPlan plan =
      read(in_plan(step("1", "explain", "") + step("2a", "analyze", "1") +
                   step("2b", "analyze", "1") + step("end", "generate", "2a, 2B")));
  ASSERT_EQ(shape(plan), "1:explain[] 2a:analyze[1] 2b:analyze[1] end:generate[2a,2b] | sink end");
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, WordsAroundIntegersAreIgnored) {
  const ReadPlan plan = read(in_plan(
      step("Step 1", "explain", "none") + step("two", "analyze", "Step 1") +
      step("step_3", "analyze", "step1; One") + step("#4", "generate", "Steps two and three")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, InnerQuotesBelongToTheTask) {
  const ReadPlan plan = read(in_plan(
      R"(<Step ID="1" Role="explain" Task="What does "set a = 3" mean, or "b"?" Rely=""/>)"));
  EXPECT_EQ(plan.steps[0].task, R"(What does "set a = 3" mean, or "b"?)");
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, EndMarksInsideQuotesAreText) {
  const ReadPlan plan = read(
      in_plan(R"(<Step ID="1" Role="explain" Task="Is a/> b > c in <Step> or <b>?" Rely=""/>)"));
  EXPECT_EQ(plan.steps[0].task, "Is a/> b > c in <Step> or <b>?");
}

TEST(PlanReader, SingleQuotesOpenCloseFormAndBareValuesAreRead) {
  const ReadPlan plan =
      read(in_plan("<step id='1' role='explain' task='What's up?' rely=''></step>\n"
                   "<STEP ID=2 ROLE=analyze RELY=1>Find the sum &amp; more</STEP>\n"
                   "<Step ID=3 Role=generate Task=Say it all Rely=1, 2 Token=30/>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[1,2] | sink 3");
  EXPECT_EQ(plan.steps[0].task, "What's up?");
  EXPECT_EQ(plan.steps[1].task, "Find the sum & more");
  EXPECT_EQ(plan.steps[2].task, "Say it all");
  EXPECT_EQ(plan.steps[2].subtask.expected, Tokens(30));
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, ADuplicateIdIsRenamedOrMerged) {
  const ReadPlan plan =
      read(in_plan(kFirst + step("2", "analyze", "1", "Count the cats") +
                   step("2", "analyze", "1", "Count the dogs") +
                   step("2", "analyze", "1", "Count  the CATS.") + step("3", "generate", "")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 2-2:analyze[1] 3:generate[2,2-2] | sink 3");
  EXPECT_THAT(plan.repairs, Contains("step 2: its id was taken, renamed to 2-2"));
  EXPECT_THAT(plan.repairs, Contains("step 2: came twice, merged"));
}

TEST(PlanReader, OnlyTheBadPartOfAListIsDropped) {
  const ReadPlan plan = read(in_plan(kFirst + step("2", "analyze", "") +
                                     step("3", "analyze", "2,9") + step("4", "generate", "1,3")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[] 3:analyze[2] 4:generate[1,3] | sink 4");
}

TEST(PlanReader, StepsOutOfOrderKeepTheirReferences) {
  const ReadPlan plan = read(
      in_plan(step("2", "analyze", "1") + step("1", "explain", "") + step("3", "generate", "2")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[2] | sink 3");
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, StepsInAThinkingBlockAreIgnored) {
  const std::string thought =
      "<think>\nMaybe <Plan>" + step("7", "explain", "") + "</Plan>?\n</think>";
  EXPECT_EQ(everything(read(thought + kGood)), everything(read(kGood)));
  EXPECT_EQ(everything(read("<Reasoning>" + step("7", "explain", "") + "</reasoning>" + kGood)),
            everything(read(kGood)));
  std::string inside = kGood;
  inside.insert(inside.find("<Step"), "<thinking>" + step("7", "explain", "") + "</thinking>");
  EXPECT_EQ(everything(read(inside)), everything(read(kGood)));
}

TEST(PlanReader, ProseBeforeAPlanWhoseThinkingBlockBeganInThePromptIsForgotten) {
  const ReadPlan plan = read("so " + step("7", "explain", "") + "</think>" + kFirst);
  ASSERT_EQ(shape(plan), "1:generate[] | sink 1");
}

TEST(PlanReader, NoPlanAtAllIsUseless) {
  for (const std::string_view text :
       {"", "The answer is 4.", "<think><Plan>", "<html><p>x</p></html>"}) {
    const ReadPlan plan = read(text);
    EXPECT_EQ(plan.end.outcome, PlanOutcome::kUseless) << text;
    EXPECT_EQ(plan.end.sink, std::nullopt);
    EXPECT_THAT(plan.steps, IsEmpty());
    EXPECT_NE(plan.end.fault, "");
  }
  EXPECT_THAT(read("").end.fault, HasSubstr("no <Plan>"));
  EXPECT_THAT(read("<think>hm").end.fault, HasSubstr("thinking"));
}

TEST(PlanReader, AnEmptyPlanIsUseless) {
  for (const std::string_view text : {"<Plan></Plan>", "<Plan/>", "<plan goal='x'>\n</PLAN >"}) {
    const ReadPlan plan = read(text);
    EXPECT_EQ(plan.end.outcome, PlanOutcome::kUseless) << text;
    EXPECT_THAT(plan.end.fault, HasSubstr("empty"));
  }
  const ReadPlan plan = read("<Plan><Step ID='1' Task=' '/></Plan>");
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kUseless);
  EXPECT_THAT(plan.end.fault, HasSubstr("Task"));
  EXPECT_THAT(plan.repairs, ElementsAre("step 1: dropped, it has no task"));
}

// ---- Markup as models write it ----

TEST(PlanReader, FencesProseCommentsAndDeclarationsAreSkipped) {
  std::string text =
      "Here is a < b, the plan & all:\n```xml\n<?xml version=\"1.0\"?>\n<!DOCTYPE x>\n";
  text += "<!-- " + step("8", "analyze", "") + "-->" + kGood + "```\nHope this helps <3";
  text.insert(text.find("<Step ID=\"2\""),
              "First, some words.<!-- <Plan> --><![CDATA[<Step Task='x'/>]]>");
  EXPECT_EQ(everything(read(text)),
            everything(read(kGood)) + "\nthe plan was in a code block, taken out");
}

TEST(PlanReader, SmartQuotesAreQuotes) {
  const ReadPlan plan =
      read(in_plan("<Step ID=“1” Role=‘explain’ Task=“Say “hi” now” Rely=“”/>"
                   "<Step ID=“2\" Role=\"generate\" Task=\"“What”\" Rely=“1”/>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:generate[1] | sink 2");
  EXPECT_EQ(plan.steps[0].task, "Say “hi” now");
  EXPECT_EQ(plan.steps[1].task, "“What”");
}

TEST(PlanReader, AttributesMayHaveSynonymsCommasAndAnyOrder) {
  const ReadPlan plan = read(in_plan(
      R"(<Step question="A?", id = "1", type="Explanation", depends_on="", tokens="about 20")"
      R"( extra="x"/>)"
      R"(<Step DEPENDS="1" Description="B" ID="2" Role="GEN" Difficulty="12"/>)"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:generate[1] | sink 2");
  EXPECT_EQ(plan.steps[0].subtask.expected, Tokens(20));
  EXPECT_EQ(plan.steps[1].difficulty, 9);
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, ChildElementsAreReadLikeAttributes) {
  const ReadPlan plan = read(
      in_plan("<Step><ID>1</ID><Role>explain</Role><Task>Say a &lt; b</Task><Rely/></Step>"
              "<Step id='2'>\n <Task><![CDATA[Is x & y &amp; <z>?]]></Task>\n <Rely>1</Rely></Step>"
              "<Step><ID>3</ID><Role>generate</Role><Question>All</Question><Depends_On>1, "
              "2</Depends_On></Step>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[1,2] | sink 3");
  EXPECT_EQ(plan.steps[0].task, "Say a < b");
  EXPECT_EQ(plan.steps[1].task, "Is x & y &amp; <z>?");
  EXPECT_THAT(plan.repairs, IsEmpty());
}

TEST(PlanReader, ATagThatIsNeverClosedEndsWhereTheNextBegins) {
  const ReadPlan plan =
      read(in_plan("<Step ID=\"1\" Role=\"explain\" Task=\"First thing\" Rely=\"\"\n"
                   "<Step ID=\"2\" Role=\"analyze\" Rely=\"1\" Task=\"Second\n"
                   "<Step ID=\"3\" Role=\"generate\" Rely=\"2\" Task=\"Third\">\n"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[2] | sink 3");
  EXPECT_EQ(plan.steps[1].task, "Second");
  EXPECT_THAT(plan.repairs, ElementsAre("step 1: was not closed", "step 2: was not closed",
                                        "step 3: was not closed"));
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kComplete);
}

TEST(PlanReader, TheTextOfAStepThatLooksLikeATagIsText) {
  const ReadPlan plan =
      read(in_plan("<Step id='1' task='Compare <step 1> with <steps> and </x>'/>"));
  EXPECT_EQ(plan.steps[0].task, "Compare <step 1> with <steps> and </x>");
}

TEST(PlanReader, BadUtf8AndControlCharactersAreRepaired) {
  const ReadPlan plan =
      read(in_plan("<Step ID='1' Task='\n a\tb\r\nc\x01"
                   "d \xFF\xC3 e\xE2\x80\x9C \x7F'/>"));
  EXPECT_EQ(plan.steps[0].task, "a b  c d \xEF\xBF\xBD\xEF\xBF\xBD e“");
}

TEST(PlanReader, ALongTaskIsCutAtACharacter) {
  PlanReader::Options options;
  options.task_bytes_max = 10;
  const ReadPlan plan = read_plan("<Plan><Step ID='1' Task='12345678éé'/></Plan>", 0, options);
  EXPECT_EQ(plan.steps[0].task, "12345678é");
  EXPECT_EQ(read_plan("<Plan><Step ID='1' Task='123456789éé'/></Plan>", 0, options).steps[0].task,
            "123456789");
}

// ---- Truncation ----

TEST(PlanReader, APlanWithoutEndTagIsTruncatedButUsed) {
  const std::string text = "<Plan>" + kFirst + step("2", "analyze", "1") + "<Step ID=\"3\" Ro";
  const ReadPlan plan = read(text);
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 4:generate[2] | sink 4");
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kTruncated);
  EXPECT_THAT(plan.repairs, ElementsAre("step 3: dropped, it was cut off", "plan not closed",
                                        "step 4: added, there was no generate step"));
}

TEST(PlanReader, ACutTagWithACompleteTaskIsUsed) {
  const ReadPlan plan = read("<Plan>" + kFirst + R"(<Step ID="2" Role="analyze" Task="Count" Rel)");
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[2] | sink 3");
  EXPECT_THAT(plan.repairs, Contains("step 2: was cut off, used as far as it came"));
  const ReadPlan half = read("<Plan>" + kFirst + R"(<Step ID="2" Role="analyze" Task="Cou)");
  EXPECT_EQ(shape(half), "1:generate[] | sink 1");
}

TEST(PlanReader, EveryPrefixOfAPlanGivesAValidGraph) {
  for (std::size_t size = 0; size <= kGood.size(); ++size) {
    const ReadPlan plan = read_plan(std::string_view(kGood).substr(0, size), 0, {}, true);
    EXPECT_EQ(plan.end.sink.has_value(), !plan.steps.empty());
    EXPECT_EQ(plan.end.outcome == PlanOutcome::kComplete, size >= kGood.find("</Plan>") + 7)
        << size;
  }
}

TEST(PlanReader, WithoutAPlanTagTheStepsAreUsedAtTheEnd) {
  const ReadPlan plan = read("Sure!\n" + kFirst + step("2", "generate", "1"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:generate[1] | sink 2");
  EXPECT_THAT(plan.released, IsEmpty());
  EXPECT_EQ(plan.at_end.size(), 2U);
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kTruncated);
  EXPECT_THAT(plan.repairs, ElementsAre("no <Plan> tag, the steps are used as they are"));
}

TEST(PlanReader, StepsBeforeThePlanDoNotCountOnceItCame) {
  EXPECT_EQ(everything(read("I write <Step ID='1' Task='so\n" + kGood)), everything(read(kGood)));
  EXPECT_EQ(everything(read(step("9", "explain", "") + kGood)), everything(read(kGood)));
}

TEST(PlanReader, NestedPlansAreOnePlan) {
  EXPECT_EQ(shape(read("<Plan>" + kFirst + "<Plan>" + step("2", "analyze", "1") + "</Plan>" +
                       step("3", "generate", "2") + "</Plan>")),
            "1:explain[] 2:analyze[1] 3:generate[2] | sink 3");
  EXPECT_EQ(shape(read("A <Plan> is: " + kGood)), shape(read(kGood)));
}

// ---- Graph repairs ----

TEST(PlanReader, ASecondPlanIsIgnored) {
  EXPECT_EQ(everything(read(kGood + in_plan(step("1", "explain", "", "Other")))),
            everything(read(kGood)));
}

TEST(PlanReader, ACycleIsCutAtItsEarliestStep) {
  const ReadPlan plan = read(in_plan(step("a", "explain", "") + step("b", "analyze", "c") +
                                     step("c", "analyze", "b,a") + step("d", "generate", "c")));
  ASSERT_EQ(shape(plan), "a:explain[] b:analyze[a] c:analyze[a,b] d:generate[c] | sink d");
  EXPECT_THAT(plan.repairs,
              ElementsAre("step b: dropped reliance on c, which relies on it in turn"));
}

TEST(PlanReader, ACycleThroughTheSinkKeepsTheStep) {
  const ReadPlan plan = read(
      in_plan(step("a", "explain", "") + step("b", "analyze", "z") + step("z", "generate", "b")));
  ASSERT_EQ(shape(plan), "a:explain[] b:analyze[a] z:generate[b] | sink z");
}

TEST(PlanReader, ASelfReferenceIsDropped) {
  const ReadPlan plan = read(in_plan(kFirst + step("2", "generate", "2,1")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:generate[1] | sink 2");
  EXPECT_THAT(plan.repairs, ElementsAre("step 2: dropped reliance on 2, itself"));
}

TEST(PlanReader, RepeatedTasksAreMergedAndReferencesFollow) {
  const ReadPlan plan =
      read(in_plan(kFirst + step("2", "analyze", "1", "How many cats?") +
                   step("3", "analyze", "1", "how  many cats") + step("4", "generate", "3")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 4:generate[2] | sink 4");
  EXPECT_THAT(plan.repairs, ElementsAre("step 3: same task as step 2, merged"));
}

TEST(PlanReader, AStepThatReliesOnBothOfTwoMergedOnesReliesOnThatOnce) {
  const ReadPlan plan =
      read(in_plan(kFirst + step("2", "analyze", "1", "How many cats?") +
                   step("3", "analyze", "1", "how  many cats") + step("4", "generate", "2,3")));
  EXPECT_EQ(shape(plan), "1:explain[] 2:analyze[1] 4:generate[2] | sink 4");
}

TEST(PlanReader, AGenerateStepIsNeverMergedAway) {
  const ReadPlan plan =
      read(in_plan(step("1", "explain", "", "Do it") + step("2", "generate", "1", "Do it")));
  ASSERT_EQ(shape(plan), "1:explain[] 2:generate[1] | sink 2");
}

TEST(PlanReader, StepsBeyondTheLimitAreDroppedButNotTheAnswer) {
  std::string steps = kFirst;
  for (int i = 2; i <= 9; ++i) steps += step(std::to_string(i), "analyze", "1");
  const ReadPlan plan =
      read(in_plan(steps + step("10", "generate", "2,3,8") + step("11", "generate", "2")));
  EXPECT_EQ(shape(plan),
            "1:explain[] 2:analyze[1] 3:analyze[1] 4:analyze[1] 5:analyze[1] 6:analyze[1] "
            "10:generate[2,3] | sink 10 | pruned 4,5,6");
  EXPECT_THAT(plan.repairs, Contains("step 7: dropped, a plan has at most 7 steps"));
  EXPECT_THAT(plan.repairs, Contains("step 10: dropped reliance on 8, which was dropped"));
  EXPECT_THAT(plan.repairs, Contains("step 11: dropped, a plan has at most 7 steps"));
}

TEST(PlanReader, WithoutRolesTheLastStepThatFitsAnswers) {
  std::string steps;
  for (int i = 1; i <= 9; ++i) {
    steps += fmt::format("<Step ID='{}' Task='T{}' Rely='{}'/>", i, i,
                         i == 1   ? ""
                         : i == 9 ? "2,3"
                                  : "1");
  }
  EXPECT_EQ(shape(read(in_plan(steps))),
            "1:explain[] 2:analyze[1] 3:analyze[1] 4:analyze[1] 5:analyze[1] 6:analyze[1] "
            "9:generate[2,3] | sink 9 | pruned 4,5,6");
}

TEST(PlanReader, WithoutRolesTheOneLastStepIsTheSinkThoughItWasReleased) {
  const ReadPlan plan =
      read(in_plan("<Step ID='1' Task='A' Rely=''/><Step ID='2' Task='B' Rely='1'/>"
                   "<Step ID='3' Task='C' Rely='1,2'/>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:generate[1,2] | sink 3");
  ASSERT_EQ(plan.released.size(), 3U);
  EXPECT_EQ(plan.released[2].subtask.role, Role::kAnalyze);
}

TEST(PlanReader, WithoutOneLastStepAGenerateStepIsAdded) {
  const ReadPlan plan =
      read(in_plan("<Step ID='1' Task='A' Rely=''/><Step ID='2' Task='B' Rely='1'/>"
                   "<Step ID='3' Task='C' Rely='1'/>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
  ASSERT_EQ(plan.at_end.size(), 1U);
  EXPECT_NE(plan.at_end[0].task, "");
}

TEST(PlanReader, OnlyTheLastGenerateStepIsTheSink) {
  const ReadPlan plan = read(in_plan(kFirst + step("2", "generate", "1") +
                                     step("3", "analyze", "1") + step("4", "generate", "2,3")));
  ASSERT_EQ(shape(plan), "1:explain[] 3:analyze[1] 2:analyze[1] 4:generate[3,2] | sink 4");
}

TEST(PlanReader, ASinkThatReliesOnNothingGetsAllUnusedResults) {
  EXPECT_EQ(shape(read(in_plan(kFirst + step("2", "analyze", "1") + step("3", "analyze", "1") +
                               step("4", "generate", "")))),
            "1:explain[] 2:analyze[1] 3:analyze[1] 4:generate[2,3] | sink 4");
  EXPECT_EQ(shape(read(in_plan(kFirst + step("2", "analyze", "1") + step("4", "generate", "9")))),
            "1:explain[] 2:analyze[1] 4:generate[2] | sink 4");
}

TEST(PlanReader, StepsThatTheAnswerDoesNotNeedArePruned) {
  const ReadPlan plan = read(in_plan(kFirst + step("2", "analyze", "1") +
                                     step("3", "analyze", "1") + step("4", "generate", "2")));
  EXPECT_EQ(plan.end.pruned, std::vector<SubtaskId>{SubtaskId{2}});
  EXPECT_THAT(plan.repairs, ElementsAre("step 3: pruned, the answer does not rely on it"));
}

TEST(PlanReader, OneStepIsAPlan) {
  const ReadPlan plan = read(in_plan(step("1", "analyze", "")));
  EXPECT_EQ(plan.end.outcome, PlanOutcome::kComplete);
  EXPECT_EQ(plan.end.sink, SubtaskId{0});
  EXPECT_EQ(plan.steps.size(), 1U);
}

TEST(PlanReader, MissingIdsAreNumbered) {
  const ReadPlan plan =
      read(in_plan("<Step Role='explain' Task='A' Rely=''/><Step Role='analyze' Task='B'/>"
                   "<Step ID='7' Role='analyze' Task='C' Rely='1-2'/>"
                   "<Step Role='generate' Task='D' Rely='7'/>"));
  ASSERT_EQ(shape(plan), "1:explain[] 2:analyze[1] 7:analyze[1,2] 8:generate[7] | sink 8");
}

// ---- Size ----

TEST(PlanReader, GarbageOfManyMegabytesIsReadOnce) {
  for (const std::string_view unit : {"lorem ipsum ", "<", "<Step Task=\"", "<Step ", "\xFF\xE2",
                                      "</", "<!-- ", "a=\"b\" <step x "}) {
    std::string text;
    while (text.size() < 10'000'000) text += unit;
    EXPECT_EQ(read_plan(text, 0).steps.size() > 7, false) << unit;
    EXPECT_EQ(read_plan("<Plan>" + text, 977).steps.size() > 7, false) << unit;
  }
}

TEST(PlanReader, APlanThatIsTooLongEndsThere) {
  PlanReader reader({});
  reader.push("<Plan>" + kFirst + "<Step ID='2' Task=\"" + std::string(300'000, 'x'));
  EXPECT_TRUE(reader.is_closed());
  const PlanReader::End end = reader.finish(false);
  EXPECT_EQ(end.plan.outcome, PlanOutcome::kTruncated);
  EXPECT_EQ(reader.steps().size(), 1U);
  EXPECT_EQ(reader.repairs().back(), "plan too long, the rest is ignored");
}

TEST(PlanReader, APlanIsFoundBehindAGiantUnclosedTag) {
  const std::string giant = "<Step Task=\"" + std::string(300'000, 'x');
  EXPECT_EQ(everything(read_plan(giant + kGood)), everything(read_plan(kGood)));
}

}  // namespace
}  // namespace hf
