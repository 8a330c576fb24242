// Goal: rows of several files come together by query, and rows that do not fit together are refused
// with file and line.
// Method: small files.
#include "eval/outcomes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "eval/text_file.h"
#include "folder.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;

using Outcomes = WithFolder;

std::string line(std::string_view query, std::string_view subtask, std::string_view inputs = "") {
  return fmt::format(R"({{"query":"{}","subtask":"{}","depends_on":[{}],)"
                     R"("arms":[{{"endpoint":"e","tier":"edge","correct":1}}]}})"
                     "\n",
                     query, subtask, inputs);
}

std::string fault(const std::vector<std::filesystem::path>& files) {
  const auto data = load_outcomes(files);
  return data ? "accepted" : data.error().message;
}

TEST_F(Outcomes, AreGroupedByQueryInFileOrder) {
  ASSERT_TRUE(write_text_file(path("b.gz"), line("q2", "1") + line("q3", "x")));
  const std::vector files = {
      file("a", line("q1", "2", "\"1\"") + "\n  \r\n" + line("q2", "2", "\"1\"") + line("q1", "1")),
      path("b.gz")};
  const auto data = load_outcomes(files);
  ASSERT_TRUE(data) << data.error().message;
  ASSERT_EQ(data->queries(), 3U);
  std::string seen;
  for (std::size_t i = 0; i < data->queries(); ++i) {
    for (const OutcomeRow& row : data->query(i)) seen += row.query + "/" + row.subtask + " ";
  }
  EXPECT_EQ(seen, "q1/2 q1/1 q2/2 q2/1 q3/x ");
  EXPECT_EQ(data->rows().size(), 5U);

  const auto again = load_outcomes(std::vector{file("again", outcome_text(data->rows()))});
  ASSERT_TRUE(again);
  EXPECT_EQ(outcome_text(again->rows()), outcome_text(data->rows()));
}

TEST_F(Outcomes, OfNoFileOrAnEmptyOneAreNone) {
  EXPECT_EQ(load_outcomes({})->queries(), 0U);
  const auto data = load_outcomes(std::vector{file("a", "")});
  ASSERT_TRUE(data);
  EXPECT_EQ(data->queries(), 0U);
}

TEST_F(Outcomes, AWrongLineIsNamedWithItsFile) {
  const auto bad = file("bad", line("q1", "1") + "\n{\"query\":\"q\"}\n");
  EXPECT_EQ(fault({bad}), bad.string() + ": line 3: arms is missing.");
  EXPECT_THAT(fault({path("none")}), HasSubstr("none cannot be opened"));
}

TEST_F(Outcomes, RowsThatDoNotFitTogetherAreRefused) {
  const auto one = file("one", line("q", "1"));
  const auto two = file("two", line("p", "1") + line("q", "1"));
  EXPECT_EQ(fault({one, two}),
            two.string() + ": line 2: subtask \"1\" of query \"q\" has a row already.");

  const auto lost = file("lost", line("p", "2") + line("q", "1", "\"2\""));
  EXPECT_EQ(fault({lost}), lost.string() +
                               ": line 2: subtask \"1\" of query \"q\" depends on "
                               "\"2\", which has no row.");

  const auto circle = file("circle", line("q", "0", "\"2\"") + line("q", "1") +
                                         line("q", "2", "\"1\",\"3\"") + line("q", "3", "\"2\""));
  EXPECT_THAT(fault({circle}), HasSubstr("depends on itself, through others."));
  EXPECT_THAT(fault({circle}), testing::Not(HasSubstr("subtask \"0\"")));
}

TEST(OutcomeRows, AreCheckedWithoutAFile) {
  OutcomeRow row;
  row.query = "q";
  const auto data = Dataset::from({row, row});
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().message, "subtask \"1\" of query \"q\" has a row already.");
  EXPECT_EQ(Dataset::from({row})->query(0).size(), 1U);
}

}  // namespace
}  // namespace hf::eval
