// Goal: odd bytes and odd ids in a plan are read as they are meant, and what changed is told.
// Method: one small plan a case, read whole and byte by byte; both must agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "plan_text.h"

namespace hf {
namespace {

using testing::Contains;

ReadPlan read_step(const std::string& step) {
  const std::string text = "<Plan>" + step + "</Plan>";
  const ReadPlan plan = read_plan(text);
  EXPECT_EQ(everything(plan), everything(read_plan(text, 1))) << text;
  return plan;
}

TEST(PlanText, EntitiesAreDecodedAndRawAmpersandsStay) {
  const ReadPlan plan = read_step(
      "<Step ID=\"1\" Task=\"&lt;a&gt; &amp; &quot;b&apos; &#65;&#x42;&#xE9; R&D "
      "&unknown; &#0; &\"/>");
  EXPECT_EQ(plan.steps[0].task, "<a> & \"b' ABé R&D &unknown; \xEF\xBF\xBD &");
}

TEST(PlanText, NulsAreRemovedAndTold) {
  const ReadPlan plan = read_step("<Step ID=\"1\" Task=\"a" + std::string(1, '\0') + "b\"/>");
  EXPECT_EQ(plan.steps[0].task, "a b");
  EXPECT_THAT(plan.repairs, Contains("step 1: has NULs, replaced by spaces"));
}

TEST(PlanText, TypographicQuotesAndImpossibleCharactersAreTold) {
  EXPECT_THAT(read_step("<Step ID=“1\" Task=\"a\"/>").repairs,
              Contains("step 1: typographic quotes, taken as plain ones"));
  EXPECT_THAT(read_step("<Step ID=\"1\" Task=\"“a” &#65;\"/>").repairs, testing::IsEmpty());
  EXPECT_THAT(read_step("<Step ID=\"1\" Task=\"a &#xD800;\"/>").repairs,
              Contains("step 1: has characters that do not exist, replaced"));
}

TEST(PlanText, AnIdIsANumberOnlyIfItSaysNothingElse) {
  for (const auto& [id, label] : {std::pair{"Two", "2"}, std::pair{"Step two", "2"},
                                  std::pair{"two and half", "two-and-half"}}) {
    const ReadPlan plan = read_step(fmt::format("<Step ID=\"{}\" Task=\"a\"/>", id));
    EXPECT_EQ(plan.steps[0].label, label) << id;
  }
}

}  // namespace
}  // namespace hf
