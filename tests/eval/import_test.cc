// Goal: the recorded data of data/routing become the outcome rows that their publishers' figures
// say, and a file that is not as expected is refused with its place. Method: the real files against
// counts made independently; small files with one mistake each.
#include "eval/import.h"

#include <gmock/gmock.h>

#include <set>

#include "eval/outcomes.h"
#include "folder.h"

namespace hf::eval {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kData = std::filesystem::path(HF_SOURCE_DIR) / "data" / "routing";

MmluProFiles mmlu_pro() {
  return {kData / "mmlu_pro_outcomes.csv.gz", kData / "mmlu_pro_predictions.csv.gz",
          kData / "mmlu_pro_questions.jsonl.gz"};
}

struct Counts {
  std::size_t rows = 0;
  std::size_t edge = 0;
  std::size_t cloud = 0;
  std::size_t either = 0;
  std::size_t fixes = 0;
  std::size_t breaks = 0;

  friend bool operator==(const Counts&, const Counts&) = default;
  friend void PrintTo(const Counts& c, std::ostream* out) {
    *out << c.rows << ": " << c.edge << ' ' << c.cloud << ' ' << c.either << ' ' << c.fixes << ' '
         << c.breaks;
  }
};

// Of the first arm against the last.
Counts count(const std::vector<OutcomeRow>& rows) {
  Counts counts;
  for (const OutcomeRow& row : rows) {
    const bool edge = row.arms.front().correct == 1;
    const bool cloud = row.arms.back().correct == 1;
    ++counts.rows;
    counts.edge += edge ? 1 : 0;
    counts.cloud += cloud ? 1 : 0;
    counts.either += edge || cloud ? 1 : 0;
    counts.fixes += cloud && !edge ? 1 : 0;
    counts.breaks += edge && !cloud ? 1 : 0;
  }
  return counts;
}

std::vector<OutcomeRow> good(Result<std::vector<OutcomeRow>> rows) {
  EXPECT_TRUE(rows) << (rows ? "" : rows.error().message);
  return std::move(rows).value_or(std::vector<OutcomeRow>());
}

TEST(ImportMmluPro, HasTheCountsOfTheDefaultPair) {
  const auto rows = good(import_mmlu_pro(mmlu_pro(), {}));
  EXPECT_EQ(count(rows), (Counts{9055, 4021, 6369, 6942, 2921, 573}));
  const OutcomeRow& row = rows[1];
  EXPECT_EQ(row.query, "11287");
  EXPECT_EQ(row.category, "engineering");
  EXPECT_EQ(row.text,
            "The errors mainly caused by human mistakes are\nA) gross error.\n"
            "B) instrumental error.\nC) systematic error.");
  ASSERT_EQ(row.arms.size(), 2U);
  EXPECT_EQ(row.arms[0].endpoint, "Meta-Llama-3_1-8B-Instruct");
  EXPECT_EQ(row.arms[0].tier, Tier::kEdge);
  EXPECT_EQ(row.arms[0].output, "A");
  EXPECT_EQ(row.arms[1].endpoint, "gemini-1.5-pro-002");
  EXPECT_EQ(row.arms[1].tier, Tier::kCloud);

  const auto data = Dataset::from(rows);
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->queries(), 9055U);
}

TEST(ImportMmluPro, LetsAnyModelPlayAnyPart) {
  const auto rows = good(import_mmlu_pro(mmlu_pro(), {.edge = "Meta-Llama-3_1-8B-Instruct",
                                                      .voters = {"Qwen1.5-7B-Chat", "gemma-7b"},
                                                      .cloud = "Meta-Llama-3_1-70B-Instruct"}));
  EXPECT_EQ(count(rows), (Counts{9055, 4021, 5703, 6325, 2304, 622}));
  std::size_t without_answer = 0;
  for (const OutcomeRow& row : rows) {
    ASSERT_EQ(row.arms.size(), 4U);
    EXPECT_EQ(row.arms[2].tier, Tier::kEdge);
    EXPECT_EQ(row.arms[2].usd, PicoUsd(0));
    if (row.arms[1].output == "") ++without_answer;
  }
  EXPECT_EQ(without_answer, 2103U);
}

TEST(ImportMmluPro, ListsTheModels) {
  const auto models = mmlu_pro_models(mmlu_pro().outcomes);
  ASSERT_TRUE(models);
  EXPECT_EQ(models->size(), 28U);
  EXPECT_EQ(models->front(), "Llama-2-13b-hf");
  EXPECT_EQ(models->back(), "mathstral-7B");
}

TEST(ImportRouteLlm, MmluHasTheCountsOfItsPublishers) {
  const auto rows = good(import_routellm_mmlu(kData / "routellm_mmlu.csv.gz"));
  EXPECT_EQ(count(rows), (Counts{14042, 9560, 11315, 12057, 2497, 742}));
  EXPECT_EQ(rows[0].category, "abstract_algebra");
  EXPECT_EQ(rows[0].arms[1].completion, Tokens(8));
  EXPECT_EQ(rows[0].arms[1].output, std::nullopt);
  // Questions that come twice are one query, on one side of any split.
  const auto data = Dataset::from(rows);
  ASSERT_TRUE(data) << data.error().message;
  std::set<std::string_view> texts;
  for (const OutcomeRow& row : rows) texts.insert(row.text);
  EXPECT_EQ(texts.size(), 13937U);
  EXPECT_EQ(data->queries(), 13937U);
}

TEST(ImportRouteLlm, Gsm8kHasTheCountsOfItsFile) {
  const auto rows = good(import_routellm_gsm8k(kData / "routellm_gsm8k.csv.gz"));
  EXPECT_EQ(count(rows), (Counts{660, 419, 566, 614, 195, 48}));
  EXPECT_EQ(rows[0].category, "grade school math");
  EXPECT_EQ(rows[0].arms[0].completion, Tokens(59));  // 233 characters.
  EXPECT_EQ(rows[0].arms[1].completion, Tokens(66));  // 262 characters.
  EXPECT_EQ(Dataset::from(rows)->queries(), 660U);
}

TEST(ImportArm, DerivesTokensMoneyAndSecondsAsStated) {
  EXPECT_EQ(tokens_of(0), Tokens(1));
  EXPECT_EQ(tokens_of(4), Tokens(1));
  EXPECT_EQ(tokens_of(5), Tokens(2));
  const ArmOutcome cloud = arm_of(
      {.model = "c", .tier = Tier::kCloud, .correct = 1, .completion = Tokens(160)}, 4000, {});
  EXPECT_EQ(cloud.prompt, Tokens(1000));
  EXPECT_EQ(cloud.usd, PicoUsd(2'050'000'000));  // 1,000 at $1.25 and 160 at $5 per million.
  EXPECT_DOUBLE_EQ(cloud.seconds, 0.5 + 2);
  const ArmOutcome edge = arm_of({.model = "e", .completion = Tokens(160)}, 4000, {});
  EXPECT_EQ(edge.usd, PicoUsd(0));
  EXPECT_DOUBLE_EQ(edge.seconds, 1 + 4);
}

class ImportFaults : public WithFolder {
 protected:
  std::string mmlu_fault(std::string_view outcomes, std::string_view predictions,
                         std::string_view questions, const MmluProArms& arms = {"a", {}, "b"}) {
    const auto rows =
        import_mmlu_pro({file("o", outcomes), file("p", predictions), file("q", questions)}, arms);
    return rows ? "accepted" : rows.error().message;
  }

  static constexpr std::string_view kOutcomes =
      "question_id,category,a|ok,a|chars,b|ok,b|chars\n7,law,1,9,,\n8,law,,,,\n";
  static constexpr std::string_view kPredictions = "question_id,a,b\n8,-,-\n7,A,-\n";
  static constexpr std::string_view kQuestions =
      R"({"id":"7","category":"law","question":"Who?","options":["he"],"answer":"A"})"
      "\n"
      R"({"id":"8","category":"law","question":"Who?","options":["she"],"answer":"A"})"
      "\n";
};

TEST_F(ImportFaults, LeaveOutArmsThatWereNotRun) {
  const auto rows = good(import_mmlu_pro(
      {file("o", kOutcomes), file("p", kPredictions), file("q", kQuestions)}, {"a", {}, "b"}));
  ASSERT_EQ(rows.size(), 1U);
  ASSERT_EQ(rows[0].arms.size(), 1U);
  EXPECT_EQ(rows[0].arms[0].endpoint, "a");
}

TEST_F(ImportFaults, NameThePlace) {
  EXPECT_THAT(mmlu_fault(kOutcomes, kPredictions, kQuestions, {"a", {}, "c"}),
              HasSubstr("o has no column \"c|ok\"; it has \"question_id\", "));
  EXPECT_THAT(mmlu_fault(kOutcomes, kPredictions, kQuestions, {"a", {"a"}, "b"}),
              HasSubstr("The model a is to play two parts"));
  EXPECT_THAT(mmlu_fault("question_id,category,a|ok,a|chars,b|ok,b|chars\n7,law,2,9,,\n",
                         kPredictions, kQuestions),
              HasSubstr("o: line 2, column \"a|ok\": \"2\" is no whole number from 0 to 1."));
  EXPECT_THAT(mmlu_fault(kOutcomes, "question_id,a,b\n7,A,-\n", kQuestions),
              HasSubstr("o: line 3, column \"question_id\": the predictions do not have it."));
  EXPECT_THAT(mmlu_fault(kOutcomes, "question_id,a,b\n7,A,-\n7,A,-\n", kQuestions),
              HasSubstr("p: line 3, column \"question_id\": this question is there already."));
  EXPECT_THAT(mmlu_fault(kOutcomes, "question_id,a,b\n8,-,-\n7,AB,-\n", kQuestions),
              HasSubstr("p: line 3, column \"a\": this is neither a letter nor \"-\"."));
  EXPECT_THAT(mmlu_fault(kOutcomes, kPredictions, "\n{}\n"),
              HasSubstr("q: line 2: id is missing."));
  EXPECT_THAT(
      mmlu_fault(kOutcomes, kPredictions, std::string(kQuestions) + std::string(kQuestions)),
      HasSubstr("q: line 3: question 7 is there already."));
  EXPECT_THAT(mmlu_fault(kOutcomes, kPredictions, ""), HasSubstr("the questions do not have it."));
}

TEST_F(ImportFaults, NameThePlaceInRouteLlmFiles) {
  EXPECT_THAT(import_routellm_mmlu(file("m", "edge,cloud,prompt\n")).error().message,
              HasSubstr("m has no column \"subject\""));
  EXPECT_THAT(
      import_routellm_gsm8k(file("g", "edge,cloud,edge_chars,cloud_chars,prompt\n1,0,-1,2,x"))
          .error()
          .message,
      HasSubstr("g: line 2, column \"edge_chars\": \"-1\" is no whole number"));
  EXPECT_FALSE(import_routellm_mmlu(path("none")));
}

TEST_F(ImportFaults, APromptThatComesAgainIsAFurtherSubtaskOfItsQuery) {
  const auto rows = good(import_routellm_mmlu(
      file("m", "subject,edge,cloud,prompt\nx,1,0,Who  is it?\ny,0,1,who is it? \nz,1,1,Who?\n")));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_NE(rows[0].query, rows[2].query);
  EXPECT_THAT(rows[0].query, testing::StartsWith("routellm-mmlu-"));
  EXPECT_EQ(rows[0].subtask, "1");
  EXPECT_EQ(rows[1].category, "y");
}

}  // namespace
}  // namespace hf::eval
