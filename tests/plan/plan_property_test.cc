// Goal: no input breaks the reader: the cutting of the stream does not matter, the result is always
// a valid graph, and on real XML it sees what an XML parser sees. Method: random mixtures of markup
// and junk, random cuts, generated XML plans against expat.
#include <expat.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_reader.h"
#include "plan_text.h"

namespace hf {
namespace {

// What a plan may be made of, well and badly.
constexpr std::array<std::string_view, 58> kPieces = {"<Plan>",
                                                      "</Plan>",
                                                      "<Plan>",
                                                      "<plan a='1'>",
                                                      "<Step ",
                                                      "<Step>",
                                                      "</Step>",
                                                      "<step",
                                                      "/>",
                                                      ">",
                                                      " ID=\"1\"",
                                                      " ID=\"2\"",
                                                      " id='3'",
                                                      " ID=Step 4",
                                                      " ID=\"2a\"",
                                                      " Role=\"explain\"",
                                                      " Role=\"analyze\"",
                                                      " Role=\"generate\"",
                                                      " Task=\"Count cats\"",
                                                      " Task=\"Count dogs?\"",
                                                      " Task=\"It is \"quoted\" here\"",
                                                      " Task='x > y />'",
                                                      " Task=“smart”",
                                                      " Task=bare words",
                                                      " Task=\"unclosed",
                                                      " Rely=\"\"",
                                                      " Rely=\"1\"",
                                                      " Rely=\"1,2\"",
                                                      " Rely=\"2a and 3\"",
                                                      " Rely='Step 1'",
                                                      " Rely=\"9\"",
                                                      " depends_on=\"none\"",
                                                      " Token=\"40\"",
                                                      " Difficulty=\"5\"",
                                                      "<think>",
                                                      "</think>",
                                                      "<!-- ",
                                                      " -->",
                                                      "<![CDATA[",
                                                      "]]>",
                                                      "<?xml ?>",
                                                      "<Task>",
                                                      "</Task>",
                                                      "<ID>",
                                                      "</ID>",
                                                      "\n",
                                                      " ",
                                                      "&amp;",
                                                      "&#65;",
                                                      "&",
                                                      "text",
                                                      "é",
                                                      "\xE2",
                                                      "\x80\x9C",
                                                      "\xFF",
                                                      "=",
                                                      "\"",
                                                      "'"};

// A good step too, so that long runs hold real plans.
rc::Gen<std::string> any_text() {
  const auto piece = rc::gen::map(rc::gen::inRange<std::size_t>(0, kPieces.size()),
                                  [](std::size_t i) { return std::string(kPieces[i]); });
  const auto step = rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(1, 10), rc::gen::inRange(0, 4), rc::gen::inRange(0, 10),
                     rc::gen::inRange(0, 10)),
      [](const std::tuple<int, int, int, int>& v) {
        constexpr std::array<std::string_view, 4> kRoles = {"explain", "analyze", "generate", ""};
        const auto [id, role, a, b] = v;
        return fmt::format("<Step ID=\"{}\" Role=\"{}\" Task=\"T{}{}\" Rely=\"{},{}\"/>", id,
                           kRoles[static_cast<std::size_t>(role)], id, role, a, b);
      });
  const auto part = rc::gen::weightedOneOf<std::string>({{3, piece}, {2, step}});
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(part),
                      [](const std::vector<std::string>& parts) {
                        std::string text = parts.size() % 3 == 0 ? "" : "<Plan>";
                        for (const std::string& each : parts) text += each;
                        return text;
                      });
}

void check_graph(const ReadPlan& plan, const PlanReader::Options& options) {
  RC_ASSERT(plan.steps.size() == plan.released.size() + plan.at_end.size());
  RC_ASSERT(plan.steps.size() <= options.max_steps);
  RC_ASSERT(plan.end.sink.has_value() == !plan.steps.empty());
  RC_ASSERT((plan.end.outcome == PlanOutcome::kUseless) == plan.steps.empty());
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    RC_ASSERT(index_of(step.id) == i);
    RC_ASSERT(!step.task.empty() && !step.label.empty());
    RC_ASSERT(std::find(labels.begin(), labels.end(), step.label) == labels.end());
    labels.push_back(step.label);
    const auto& inputs = step.subtask.relies_on;
    RC_ASSERT(std::is_sorted(inputs.begin(), inputs.end()));
    RC_ASSERT(std::adjacent_find(inputs.begin(), inputs.end()) == inputs.end());
    for (const SubtaskId input : inputs) RC_ASSERT(input < step.id);
  }
  if (!plan.end.sink) return;
  // Everything that is not pruned reaches the sink, nothing that is pruned does.
  std::vector<bool> reaches(plan.steps.size());
  reaches[index_of(*plan.end.sink)] = true;
  for (std::size_t i = plan.steps.size(); i-- > 0;) {
    if (!reaches[i]) continue;
    for (const SubtaskId input : plan.steps[i].subtask.relies_on) reaches[index_of(input)] = true;
  }
  std::vector<SubtaskId> lost;
  for (std::size_t i = 0; i < reaches.size(); ++i) {
    if (!reaches[i]) lost.push_back(static_cast<SubtaskId>(i));
  }
  RC_ASSERT(plan.end.pruned == lost);
}

RC_GTEST_PROP(PlanReaderProperty, AnyCuttingGivesTheSame, ()) {
  const std::string text = *any_text();
  PlanReader::Options options;
  options.plan_bytes_max = *rc::gen::element<std::size_t>(64, 400, 262'144);
  const std::string whole = everything(read_plan(text, 0, options));
  RC_ASSERT(everything(read_plan(text, 1, options)) == whole);
  RC_ASSERT(everything(read_plan(text, *rc::gen::inRange<std::size_t>(2, 40), options)) == whole);
}

RC_GTEST_PROP(PlanReaderProperty, AnyMarkupGivesAValidGraph, ()) {
  PlanReader::Options options;
  options.max_steps = *rc::gen::inRange<std::uint32_t>(1, 9);
  check_graph(read_plan(*any_text(), 0, options, *rc::gen::arbitrary<bool>()), options);
}

RC_GTEST_PROP(PlanReaderProperty, AnyBytesGiveAValidGraph, (const std::string& bytes)) {
  check_graph(read_plan(bytes), {});
  check_graph(read_plan("<Plan><Step " + bytes), {});
}

// ---- Against expat ----

struct XmlSteps {
  std::vector<std::map<std::string, std::string>> steps;
  bool is_well_formed = false;
};

XmlSteps parse_xml(const std::string& text) {
  XmlSteps result;
  XML_Parser parser = XML_ParserCreate("UTF-8");
  XML_SetUserData(parser, &result);
  XML_SetElementHandler(
      parser,
      [](void* user, const XML_Char* name, const XML_Char** attributes) {
        if (std::string_view(name) != "Step") return;
        auto& step = static_cast<XmlSteps*>(user)->steps.emplace_back();
        for (; *attributes != nullptr; attributes += 2) step[attributes[0]] = attributes[1];
      },
      [](void*, const XML_Char*) {});
  result.is_well_formed =
      XML_Parse(parser, text.data(), static_cast<int>(text.size()), 1) == XML_STATUS_OK;
  XML_ParserFree(parser);
  return result;
}

// Task text in which everything that XML allows in an attribute appears.
rc::Gen<std::string> xml_value(char quote) {
  std::vector<std::string> parts = {
      "a",      "Bc",     " ",  "  ",  "1",   "é",    "“",     "”",    "’",    ">",     "/>",
      "=",      "\n",     "\t", ",",   "id=", "x y",  "&amp;", "&lt;", "&gt;", "&#65;", "&#x42;",
      "&quot;", "&apos;", "<!", "] ]", "--",  "Step", "?>",    ";",    "/"};
  std::erase(parts, "<!");
  parts.emplace_back(quote == '"' ? "'" : "\"");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(parts)),
                      [](const std::vector<std::string>& chosen) {
                        std::string text = "T";
                        for (const std::string& part : chosen) text += part;
                        return text + "e";
                      });
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

RC_GTEST_PROP(PlanReaderProperty, SeesTheStepsThatAnXmlParserSees, ()) {
  const int count = *rc::gen::inRange(1, 7);
  std::string text = *rc::gen::element<std::string>("<Plan>", "<?xml version=\"1.0\"?>\n<Plan >",
                                                    "<!-- a <Plan> --><Plan goal='x'>");
  for (int id = 1; id <= count; ++id) {
    const char quote = *rc::gen::element('"', '\'');
    const std::string space = *rc::gen::element<std::string>(" ", "\n  ", "\t");
    const std::string_view role = id == 1 ? "explain" : id == count ? "generate" : "analyze";
    // The number makes every task different, so that none is merged.
    text += fmt::format(
        "<Step{0}ID={1}{2}{1}{0}Role = {1}{3}{1}{0}Task={1}{2} {4}{1}{0}Rely={1}{5}{1}{6}", space,
        quote, id, role, *xml_value(quote), id == 1 ? "" : "1",
        *rc::gen::element<std::string>("/>", " />", "></Step>", ">\n</Step >"));
    text +=
        *rc::gen::element<std::string>("", "\n", "some text", "<!-- <Step ID='9' Task='no'/> -->",
                                       "<![CDATA[<Step ID='9' Task='no'/>]]>");
  }
  text += "</Plan>";
  const XmlSteps expected = parse_xml(text);
  RC_ASSERT(expected.is_well_formed);

  const ReadPlan plan = read_plan(text);
  RC_ASSERT(plan.steps.size() == expected.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    RC_ASSERT(plan.steps[i].label == expected.steps[i].at("ID"));
    RC_ASSERT(plan.steps[i].task == one_line(expected.steps[i].at("Task")));
  }
}

TEST(PlanReader, RepairsAreFewAndShort) {
  std::string text = "<Plan>";
  for (int i = 0; i < 5000; ++i) text += fmt::format("<Step ID='1' Task='T{}' Rely='{}'/>", i, i);
  const ReadPlan plan = read_plan(text);
  EXPECT_EQ(plan.repairs.size(), 64U);
  EXPECT_EQ(plan.repairs.back(), "more repairs are not listed");
  for (const std::string& repair : plan.repairs) EXPECT_LE(repair.size(), 200U);
}

}  // namespace
}  // namespace hf
