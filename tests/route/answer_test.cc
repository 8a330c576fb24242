// Goal: what a model wrote is brought to the one form in which equal answers are equal bytes, and
// no bytes whatever can make that crash, hang or grow. Method: a table of texts as models write
// them; properties over random bytes; texts that would take hours if any step were quadratic.
#include "route/answer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace hf {
namespace {

struct Case {
  std::string_view text;
  std::string_view answer;
};

void expect_all(const std::vector<Case>& cases) {
  for (const auto& [text, answer] : cases) EXPECT_EQ(final_answer(text), answer) << text;
}

TEST(FinalAnswer, NumbersLoseAllThatIsNotTheirValue) {
  expect_all({{"Answer: 42", "42"},          {"Answer: $1,200.50", "1200.5"},
              {"Answer: \\$18", "18"},       {"Answer: €1,234,567 per year", "1234567"},
              {"Answer: -$5", "-5"},         {"Answer: $-5.10", "-5.1"},
              {"Answer: −7", "-7"},          {"Answer: -0.0", "0"},
              {"Answer: +3", "3"},           {"Answer: .50", "0.5"},
              {"Answer: 5.", "5"},           {"Answer: 007", "7"},
              {"Answer: 25%", "25"},         {"Answer: 12kg", "12"},
              {"Answer: the 3rd", "3"},      {"Answer: **18**", "18"},
              {"Answer: $18$", "18"},        {"Answer: 1/2", "1/2"},
              {"Answer: 10:30 am", "10:30"}, {"Answer: 12,5", "12"},
              {"Answer: 3,4,5", "3"}});
}

TEST(FinalAnswer, OfSeveralNumbersTheStatedOneCounts) {
  expect_all({{"Answer: 3 + 4 = 7", "7"},
              {"Answer: 7 = 3 + 4", "4"},
              {"Answer: 18 dollars every day for 7 days", "18"},
              {"Answer: 18 (which is 9 * 2)", "18"},
              {"Answer: 48 + (48 / 2) = 72 clips.", "72"},
              {"Answer: 48 + (48 / 2), 72", "72"},
              {"Answer: 3 * 2 * 52 pages = $312 a year for 2 friends", "312"},
              {"Answer: The total is 18 dollars for 3 days.", "18"},
              {"Answer: 2 times 3 is 6", "6"},
              {"Answer: x = 5", "5"},
              {"Answer: 10-4 apples, 6", "6"},
              {"Answer: 5 - because 4 are gone", "5"},
              {"Answer: Ann has 3 more, so 12", "12"}});
}

TEST(FinalAnswer, ChoicesBecomeTheirCapital) {
  expect_all({{"Answer: B", "B"},
              {"Answer: (B)", "B"},
              {"Answer: (b)", "B"},
              {"Answer: B.", "B"},
              {"Answer: B) 12 apples", "B"},
              {"Answer: **C**", "C"},
              {"Answer: **C** foo", "C"},
              {"Answer: Option D", "D"},
              {"Answer: choice (d)", "D"},
              {"Answer: [J]", "J"},
              {"Answer: B: 7", "B"},
              {"Answer: B is correct", "B"},
              {"Answer: C because 3 is odd", "C"},
              {"Answer: $\\boxed{\\text{B}}$", "B"},
              {"Answer: A cat", "a cat"},
              {"Answer: e.g. 5", "5"},
              {"Answer: x - 3", "3"},
              {"(B)", "B"},
              {"B", "B"},
              {"A) Paris", "A"},
              {"3 is odd, 4 is even.\n\nB", "B"}});
}

TEST(FinalAnswer, ShortTextsAreLoweredAndCollapsed) {
  expect_all({{"Answer:  New   York \t City. ", "new york city"},
              {"Answer: \"Paris\"", "paris"},
              {"Paris", "paris"},
              {"Answer: H2O", "h2o"},
              {"Answer: 1e5", "1e5"},
              {"Founded 250 BC.\nAnswer: Paris", "paris"},
              {"Answer: GRÜN", "grÜn"}});
}

TEST(FinalAnswer, TheLastMarkWins) {
  expect_all({{"Answer: 5\nAnswer: 6", "6"},
              {"Answer: 5\nThat took 9 steps.", "5"},
              {"  **Answer:** 5", "5"},
              {"ANSWER : 5", "5"},
              {"- answer = 5", "5"},
              {"The answer is 5", "5"},
              {"So, the final answer is: 5", "5"},
              {"Final Answer: 5", "5"},
              {"## Final answer\n\n5\nIt was 9.", "5"},
              {"Answer:\n\n  42 apples\n7", "42"},
              {"Answer: 42\nAnswer:", "42"},
              {"3 * 4 = 12\n#### 12", "12"},
              {"#### $1,000", "1000"},
              {"#### Step 9\nAnswer: 5\n#### Step 10 follows", "5"},
              {"#### 3. Sum\nIt is 8 in all", "8"},
              {"Thus \\boxed{42} is it. 7", "42"},
              {"\\boxed{41}\n\\boxed{{4}2", "4"},
              {"Answer the question: 3 of\n4", "4"},
              {"Hence the answer is 42. I used 3 steps.", "42"},
              {"I think the answer is B.\nBecause of 3", "B"},
              {"Answer: 5\nI hope that answer is helpful.", "5"}});
}

TEST(FinalAnswer, WithoutAMarkTheLastNumberCounts) {
  expect_all({{"48 + (48 / 2) = 72 clips.", "72"},
              {"2 clips were sold in May and 4 in June, so 6", "6"},
              {"so she reads \\(\\frac{84}{2} = 42\\) pages.", "42"},
              {"50 minutes are 1/3 of an hour. Answer: $4", "4"},
              {"He has 3.\nShe has 4,000 left", "4000"},
              {"It has H2O and 3 cups\nand x2", "3"},
              {"line\nanother line", "line another line"}});
  const std::string prose(200, 'w');
  EXPECT_EQ(final_answer(prose), "");
  EXPECT_EQ(final_answer("Answer: " + prose), "");
  EXPECT_EQ(final_answer("It is 12\nAnswer: " + prose), "12");
}

TEST(FinalAnswer, NothingGivesNothing) {
  expect_all({{"", ""},
              {" \n\t ", ""},
              {"Answer:", ""},
              {"It is 7.\nAnswer:", "7"},
              {"final answer", ""},
              {"...", ""},
              {"\\boxed{", ""}});
  EXPECT_EQ(final_answer(std::string(1000, '9')), "");
}

RC_GTEST_PROP(FinalAnswer, IsShortAndOnOneLineWhateverTheBytes, (const std::string& bytes)) {
  const std::vector<std::string> wraps = {"", "Answer: ", "x\n#### ", "the answer is ", "\\boxed{"};
  for (const std::string& wrap : wraps) {
    const std::string answer = final_answer(wrap + bytes);
    RC_ASSERT(answer.size() <= kAnswerBytesMax);
    RC_ASSERT(answer.find('\n') == std::string::npos);
    RC_ASSERT(final_answer(wrap + bytes) == answer);
  }
}

RC_GTEST_PROP(FinalAnswer, TakesAnySoupOfItsOwnWords, ()) {
  const std::vector<std::string> words = {
      "Answer:", "the answer is ", "####", "\\boxed{", "}", "\n", "-", "$", "1,000", ".5", "B",
      ")",       " is ",           "=",    "/",        ":", "−",  "kg"};
  const auto picks =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, words.size()));
  std::string soup;
  for (const std::size_t pick : picks) soup += words[pick];
  RC_ASSERT(final_answer(soup).size() <= kAnswerBytesMax);
}

RC_GTEST_PROP(FinalAnswer, ANumberIsItsOwnNormalForm, (std::int64_t number)) {
  const std::string text = std::to_string(number);
  RC_ASSERT(final_answer(text) == text);
  RC_ASSERT(final_answer("Answer: $" + text + ".00 each") == text);
}

TEST(FinalAnswer, LongTextsOfAnyKindTakeLinearTime) {
  for (const std::string_view piece :
       {"answer:", "answer: ", "1 ", "-", "$", "1,000", "1/", "\\boxed{", "\nAnswer:", " is 1",
        "a1", ".", "the ", "so, ", "#", "(", "1 is "}) {
    std::string text;
    while (text.size() < 300'000) text += piece;
    for (const std::string_view end : {"", "5", "......", "\n"}) {
      EXPECT_LE(final_answer(text + std::string(end)).size(), kAnswerBytesMax);
    }
  }
}

}  // namespace
}  // namespace hf
