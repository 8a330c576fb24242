// Goal: an outcome row survives the way to text and back; a wrong line is refused with its number
// and the member's name; a damaged one never does harm.
// Method: the documented example, random rows, one wrong line per rule, and systematic damage.
#include "wire/outcome_lines.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace hf::wire {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

constexpr std::string_view kExample =
    R"({"query": "q17", "subtask": "2", "role": "analyze", "depends_on": ["1"],)"
    R"( "category": "physics", "text": "Wie groß?", "arms": [)"
    R"({"endpoint": "edge", "tier": "edge", "correct": 0.5, "prompt_tokens": 310,)"
    R"( "completion_tokens": 82, "usd": 0, "seconds": 2.1, "output": "C",)"
    R"( "signals": {"mean_logprob": -0.31, "low_logprob": -2, "margin": 0.2}},)"
    R"({"endpoint": "cloud", "tier": "cloud", "correct": 1, "prompt_tokens": 310,)"
    R"( "completion_tokens": 120, "usd": 0.00158, "seconds": 1.4}],)"
    R"( "chosen": "cloud", "propensity": 0.25})";

OutcomeRow good_row(std::string_view line) {
  auto row = read_outcome_line(line, 17);
  EXPECT_TRUE(row) << (row ? "" : row.error().message);
  return row.value_or(OutcomeRow{});
}

std::string fault_of_line(std::string_view line) {
  const auto row = read_outcome_line(line, 17);
  if (row) return "accepted";
  EXPECT_EQ(row.error().code, Code::kInvalidInput);
  EXPECT_THAT(row.error().message, StartsWith("line 17: "));
  return row.error().message.substr(9);
}

// A row with these members beside a query and a good first arm; and one whose second arm has them.
std::string fault_of_row(std::string_view members) {
  return fault_of_line(fmt::format(
      R"({{"query":"q","arms":[{{"endpoint":"a","tier":"edge","correct":1}}],{}}})", members));
}
std::string fault_of_arm(std::string_view members) {
  return fault_of_line(fmt::format(
      R"({{"query":"q","arms":[{{"endpoint":"a","tier":"edge","correct":1}},{{{}}}]}})", members));
}
std::string fault_of_fine_arm(std::string_view members) {
  return fault_of_arm(R"("endpoint":"b","tier":"cloud","correct":0,)" + std::string(members));
}

TEST(OutcomeLine, ReadsEveryMemberOfTheDocumentedExample) {
  const OutcomeRow row = good_row(kExample);
  EXPECT_EQ(row.query, "q17");
  EXPECT_EQ(row.subtask, "2");
  EXPECT_EQ(row.role, Role::kAnalyze);
  EXPECT_THAT(row.depends_on, ElementsAre("1"));
  EXPECT_EQ(row.category, "physics");
  EXPECT_EQ(row.text, "Wie groß?");
  EXPECT_EQ(row.chosen, "cloud");
  EXPECT_EQ(row.propensity, 0.25);
  ASSERT_EQ(row.arms.size(), 2U);
  const ArmOutcome& edge = row.arms[0];
  EXPECT_EQ(edge.endpoint, "edge");
  EXPECT_EQ(edge.tier, Tier::kEdge);
  EXPECT_EQ(edge.correct, 0.5);
  EXPECT_EQ(edge.prompt, Tokens(310));
  EXPECT_EQ(edge.completion, Tokens(82));
  EXPECT_EQ(edge.seconds, 2.1);
  EXPECT_EQ(edge.output, "C");
  EXPECT_EQ(edge.signals.mean_logprob, -0.31);
  EXPECT_EQ(edge.signals.low_logprob, -2);
  EXPECT_EQ(edge.signals.margin, 0.2);
  const ArmOutcome& cloud = row.arms[1];
  EXPECT_EQ(cloud.tier, Tier::kCloud);
  EXPECT_EQ(cloud.usd, PicoUsd(1'580'000'000));
  EXPECT_EQ(cloud.output, std::nullopt);
  EXPECT_EQ(cloud.signals.margin, std::nullopt);
}

TEST(OutcomeLine, NeedsNoOptionalMemberAndIgnoresUnknownOnes) {
  const OutcomeRow row = good_row(
      R"({"query":"q","new":{"x":[1]},"category":null,"chosen":null,)"
      R"("arms":[{"endpoint":"e","tier":"edge","correct":1,"new":1,"signals":{"new":2}}]})");
  EXPECT_EQ(row.subtask, "1");
  EXPECT_EQ(row.role, Role::kGenerate);
  EXPECT_TRUE(row.depends_on.empty());
  EXPECT_EQ(row.category, "");
  EXPECT_EQ(row.text, "");
  EXPECT_EQ(row.chosen, std::nullopt);
  EXPECT_EQ(row.propensity, std::nullopt);
  EXPECT_EQ(row.arms[0].prompt, Tokens(0));
  EXPECT_EQ(row.arms[0].usd, PicoUsd(0));
  EXPECT_EQ(row.arms[0].seconds, 0);
}

TEST(OutcomeLine, KeepsApartAnEmptyAnswerAndNone) {
  const OutcomeRow row =
      good_row(R"({"query":"q","arms":[{"endpoint":"a","tier":"edge","correct":0,"output":""},)"
               R"({"endpoint":"b","tier":"edge","correct":0}]})");
  EXPECT_EQ(row.arms[0].output, "");
  EXPECT_EQ(row.arms[1].output, std::nullopt);
}

TEST(OutcomeLine, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(fault_of_line(R"({"arms":[]})"), "query is missing.");
  EXPECT_EQ(fault_of_line(R"({"query":"","arms":[]})"), "query is \"\", but must not be empty.");
  EXPECT_EQ(fault_of_line(R"({"query":5})"), "query is 5, but must be a text.");
  EXPECT_EQ(fault_of_line(R"({"query":"q"})"), "arms is missing.");
  EXPECT_EQ(fault_of_line(R"({"query":"q","arms":[]})"),
            "arms is [], but must have at least one entry.");
  EXPECT_EQ(fault_of_line(R"({"query":"q","arms":[1]})"),
            "arms is [1], but must be a list of objects.");
  EXPECT_EQ(fault_of_row(R"("role":"think")"),
            "role is \"think\", but must be one of \"explain\", \"analyze\", \"generate\".");
  EXPECT_EQ(fault_of_row(R"("role":1)"),
            "role is 1, but must be one of \"explain\", \"analyze\", \"generate\".");
  EXPECT_EQ(fault_of_row(R"("subtask":"")"), "subtask is \"\", but must not be empty.");
  EXPECT_EQ(fault_of_row(R"("depends_on":"2")"),
            "depends_on is \"2\", but must be a list of texts.");
  EXPECT_EQ(fault_of_row(R"("depends_on":[""])"),
            "depends_on is [\"\"], but must have no empty text.");
  EXPECT_EQ(fault_of_row(R"("depends_on":["1"])"),
            "depends_on is [\"1\"], but must not name the subtask itself.");
  EXPECT_EQ(fault_of_row(R"("depends_on":["2","2"])"),
            "depends_on is [\"2\",\"2\"], but must name each subtask once.");
  EXPECT_EQ(fault_of_row(R"("text":["x"])"), "text is [\"x\"], but must be a text.");
  EXPECT_EQ(fault_of_row(R"("chosen":"b")"),
            "chosen is \"b\", but must be the endpoint of one of the arms.");
  for (const std::string_view number : {"0", "-0.5", "1.01"}) {
    EXPECT_EQ(fault_of_row(fmt::format(R"("chosen":"a","propensity":{})", number)),
              fmt::format("propensity is {}, but must be above 0 and at most 1.", number));
  }
  EXPECT_EQ(fault_of_row(R"("propensity":0.5)"), "chosen is missing.");
}

TEST(OutcomeLine, NamesTheMemberOfAnArmThatIsWrong) {
  EXPECT_EQ(fault_of_arm(R"("tier":"edge","correct":1)"), "arms[1].endpoint is missing.");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"a","tier":"edge","correct":1)"),
            "arms[1].endpoint is \"a\", but must differ from those of the arms before it.");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"b","correct":1)"), "arms[1].tier is missing.");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"b","tier":"fog","correct":1)"),
            "arms[1].tier is \"fog\", but must be one of \"edge\", \"cloud\".");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"b","tier":"edge")"), "arms[1].correct is missing.");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"b","tier":"edge","correct":1.5)"),
            "arms[1].correct is 1.5, but must be from 0 to 1.");
  EXPECT_EQ(fault_of_arm(R"("endpoint":"b","tier":"edge","correct":true)"),
            "arms[1].correct is true, but must be a number from 0 to 1.");
  EXPECT_EQ(fault_of_fine_arm(R"("prompt_tokens":-1)"),
            "arms[1].prompt_tokens is -1, but must be a whole number from 0 to 100000000.");
  EXPECT_EQ(fault_of_fine_arm(R"("completion_tokens":1.5)"),
            "arms[1].completion_tokens is 1.5, but must be a whole number from 0 to 100000000.");
  EXPECT_EQ(fault_of_fine_arm(R"("usd":-0.1)"), "arms[1].usd is -0.1, but must be from 0 to 1000.");
  EXPECT_EQ(fault_of_fine_arm(R"("seconds":-1)"),
            "arms[1].seconds is -1, but must be from 0 to 1000000000.");
  EXPECT_EQ(fault_of_fine_arm(R"("output":3)"), "arms[1].output is 3, but must be a text.");
  EXPECT_EQ(fault_of_fine_arm(R"("signals":3)"), "arms[1].signals is 3, but must be an object.");
  EXPECT_EQ(fault_of_fine_arm(R"("signals":{"margin":2})"),
            "arms[1].signals.margin is 2, but must be from 0 to 1.");
  EXPECT_EQ(fault_of_fine_arm(R"("signals":{"mean_logprob":0.1})"),
            "arms[1].signals.mean_logprob is 0.1, but must be from -100000 to 0.");
}

TEST(OutcomeLine, ShowsOnlyTheBeginningOfALongValue) {
  const std::string long_text(5000, 'x');
  const std::string message = fault_of_row(fmt::format(R"("chosen":"{}é")", long_text));
  EXPECT_LT(message.size(), 200U);
  EXPECT_THAT(message, testing::HasSubstr("…, but must"));
}

TEST(OutcomeLine, RefusesWhatIsNoObject) {
  EXPECT_EQ(fault_of_line("[1]"), "this is no JSON object; write one object a line.");
  for (const std::string_view line : {"", "{", "{}x", "{\"query\": \"\xff\"}", "nul"}) {
    EXPECT_NE(fault_of_line(line), "accepted");
  }
}

// From any seed a row with every kind of member, present or not.
OutcomeRow random_row(std::uint64_t seed) {
  Rng rng(seed);
  const auto text = [&] {
    static constexpr std::string_view kPieces[] = {"a",    "\"", "\\", "\n", "é",
                                                   "\x01", "{",  " ",  "7"};
    std::string made = "x";
    for (std::uint64_t left = rng.below(6); left > 0; --left) made += kPieces[rng.below(9)];
    return made;
  };
  const auto maybe = [&](auto make) -> std::optional<decltype(make())> {
    if (rng.below(2) == 0) return std::nullopt;
    return make();
  };
  OutcomeRow row;
  row.query = text();
  row.subtask = "s";
  row.role = static_cast<Role>(rng.below(3));
  for (std::uint64_t i = rng.below(3); i > 0; --i) row.depends_on.push_back(fmt::format("d{}", i));
  row.category = maybe(text).value_or("");
  row.text = maybe(text).value_or("");
  for (std::uint64_t i = rng.below(4) + 1; i > 0; --i) {
    ArmOutcome arm;
    arm.endpoint = fmt::format("{}{}", text(), i);
    arm.tier = static_cast<Tier>(rng.below(2));
    arm.correct = rng.below(2) == 0 ? rng.unit() : static_cast<double>(rng.below(2));
    arm.prompt = Tokens(static_cast<std::int64_t>(rng.below(kOutcomeTokensMax)));
    arm.completion = Tokens(static_cast<std::int64_t>(rng.below(1000)));
    arm.usd = PicoUsd(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << rng.below(49))));
    arm.seconds = rng.unit() * 1e3;
    arm.output = maybe(text);
    arm.signals.mean_logprob = maybe([&] { return -rng.unit(); });
    arm.signals.low_logprob = maybe([&] { return -9 * rng.unit(); });
    arm.signals.margin = maybe([&] { return rng.unit(); });
    row.arms.push_back(std::move(arm));
  }
  row.chosen = maybe([&] { return row.arms.front().endpoint; });
  if (row.chosen) row.propensity = maybe([&] { return 1 - rng.unit(); });
  return row;
}

bool is_close(std::optional<double> a, std::optional<double> b) {
  return a.has_value() == b.has_value() && (!a || std::abs(*a - *b) <= 1e-14 * std::abs(*b));
}

RC_GTEST_PROP(OutcomeLine, SurvivesTheWayToTextAndBack, (std::uint64_t seed)) {
  const OutcomeRow row = random_row(seed);
  const std::string line = write_outcome_line(row);
  RC_ASSERT(line.find('\n') == std::string::npos);
  const auto again = read_outcome_line(line, 1);
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->query == row.query && again->role == row.role && again->text == row.text);
  RC_ASSERT(again->depends_on == row.depends_on && again->category == row.category);
  RC_ASSERT(again->chosen == row.chosen && is_close(again->propensity, row.propensity));
  RC_ASSERT(again->arms.size() == row.arms.size());
  for (std::size_t i = 0; i < row.arms.size(); ++i) {
    const ArmOutcome& a = again->arms[i];
    const ArmOutcome& b = row.arms[i];
    RC_ASSERT(a.endpoint == b.endpoint && a.tier == b.tier && is_close(a.correct, b.correct));
    RC_ASSERT(a.prompt == b.prompt && a.completion == b.completion && a.usd == b.usd);
    RC_ASSERT(is_close(a.seconds, b.seconds) && a.output == b.output);
    RC_ASSERT(is_close(a.signals.mean_logprob, b.signals.mean_logprob));
    RC_ASSERT(is_close(a.signals.low_logprob, b.signals.low_logprob));
    RC_ASSERT(is_close(a.signals.margin, b.signals.margin));
  }
  RC_ASSERT(write_outcome_line(*again) == line);
}

TEST(OutcomeLine, KeepsEveryPicodollarUpToTheLimit) {
  OutcomeRow row = good_row(kExample);
  const auto limit = static_cast<std::int64_t>(kOutcomeUsdMax) * kPicoPerUsd;
  for (const std::int64_t pico : {std::int64_t{1}, limit / 3, limit - 1, limit}) {
    row.arms[1].usd = PicoUsd(pico);
    EXPECT_EQ(good_row(write_outcome_line(row)).arms[1].usd, PicoUsd(pico));
  }
}

TEST(OutcomeLine, DamageIsRefusedWithTheLineOrReadAsARowThatCanBeWritten) {
  const std::string whole = write_outcome_line(good_row(kExample));
  const auto probe = [](const std::string& line) {
    const auto row = read_outcome_line(line, 17);
    if (!row) {
      EXPECT_EQ(row.error().code, Code::kInvalidInput);
      EXPECT_THAT(row.error().message, StartsWith("line 17: "));
      return false;
    }
    const std::string again = write_outcome_line(*row);
    EXPECT_EQ(write_outcome_line(good_row(again)), again);
    return true;
  };
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(probe(whole.substr(0, size)));
  Rng rng(7);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'"', '}', '9', '-', '\0', '\xff', static_cast<char>(rng.below(256))}) {
      std::string line = whole;
      line[i] = c;
      probe(line);
    }
    std::string shorter = whole;
    probe(shorter.erase(i, rng.below(9) + 1));
  }
}

}  // namespace
}  // namespace hf::wire
