// Goal: a plan is shown completely and safely in each form.
// Method: one plan with awkward text, rendered; the SVG is read back by an XML parser.
#include "plan/render.h"

#include <expat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plan_text.h"

namespace hf {
namespace {

using testing::HasSubstr;
using testing::Not;

ReadPlan sample() {
  return read_plan(
      "<Plan><Step ID='1' Role='explain' Task='What is &lt;given&gt; &amp; \"wanted\"?' Rely=''/>"
      "<Step ID='2' Role='analyze' Task='Count the many cats that are waiting at the long wall, "
      "the dogs, and Donaudampfschifffahrtsgesellschaftskapitän' Rely='1'/>"
      "<Step ID='3' Role='analyze' Task='Nobody needs this' Rely='1'/>"
      "<Step ID='4' Role='generate' Task='Say \\ all' Rely='1,2'/></Plan>");
}

bool is_xml(const std::string& text) {
  XML_Parser parser = XML_ParserCreate("UTF-8");
  const bool is_ok =
      XML_Parse(parser, text.data(), static_cast<int>(text.size()), 1) == XML_STATUS_OK;
  XML_ParserFree(parser);
  return is_ok;
}

TEST(Render, TextHasALineForEachStepAndASummary) {
  const ReadPlan plan = sample();
  const std::string text = render_text(plan.steps, plan.end);
  EXPECT_THAT(text, HasSubstr("1  explain           What is <given> & \"wanted\"?\n"));
  EXPECT_THAT(text, HasSubstr("3  analyze   <- 1    Nobody needs this  (pruned)\n"));
  EXPECT_THAT(text, HasSubstr("4  generate  <- 1,2  Say \\ all\n"));
  EXPECT_THAT(text, HasSubstr("4 steps, longest chain 3, answer from step 4\n"));
}

TEST(Render, DotHasEveryNodeAndEdgeWithItsTextEscaped) {
  const ReadPlan plan = sample();
  const std::string dot = render_dot(plan.steps, plan.end);
  EXPECT_THAT(dot, HasSubstr("digraph plan {"));
  EXPECT_THAT(dot, HasSubstr("\\\"wanted\\\"?"));
  EXPECT_THAT(dot, HasSubstr("Say \\\\ all"));
  for (const std::string edge : {"s0 -> s1;", "s0 -> s2;", "s0 -> s3;", "s1 -> s3;"}) {
    EXPECT_THAT(dot, HasSubstr(edge));
  }
  EXPECT_THAT(dot, Not(HasSubstr("s2 ->")));
}

TEST(Render, SvgIsWellFormedAndWrapsLongText) {
  const ReadPlan plan = sample();
  const std::string svg = render_svg(plan.steps, plan.end);
  EXPECT_TRUE(is_xml(svg));
  EXPECT_THAT(svg, HasSubstr("What is &lt;given&gt; &amp;"));
  EXPECT_THAT(svg, HasSubstr("3 analyze (pruned)"));
  EXPECT_THAT(svg, HasSubstr(">Count the many cats that are<"));
  EXPECT_THAT(svg, Not(HasSubstr("Donaudampfschifffahrtsgesellschaftskapitän")));
}

TEST(Render, AVeryLongTaskEndsInDots) {
  const ReadPlan plan =
      read_plan("<Plan><Step ID='1' Task='" + std::string(4000, 'x') + " end'/></Plan>");
  const std::string svg = render_svg(plan.steps, plan.end);
  EXPECT_TRUE(is_xml(svg));
  EXPECT_THAT(svg, HasSubstr("…"));
  EXPECT_LT(svg.size(), 3000U);
}

TEST(Render, AnEmptyPlanIsNoReasonToFail) {
  EXPECT_EQ(render_text({}, {}), "0 steps, longest chain 0\n");
  EXPECT_TRUE(is_xml(render_svg({}, {})));
  EXPECT_THAT(render_dot({}, {}), HasSubstr("}\n"));
}

}  // namespace
}  // namespace hf
