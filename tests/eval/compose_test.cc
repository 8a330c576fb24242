// Goal: composed queries have the shapes that were asked for, rows of one category, each row once.
// Method: small files of graphs, right and wrong, and made-up rows.
#include "eval/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "eval/text_file.h"
#include "small_data.h"

namespace hf::eval {
namespace {

using testing::HasSubstr;

TEST(ReadGraphs, ReadsLinesOfJsonAndTheTable) {
  const auto lines =
      read_graphs("{\"id\":\"v\",\"n\":3,\"edges\":[[1,3],[2,3]],\"dur_s\":[1,2,3]}\n\n", "g");
  ASSERT_TRUE(lines.has_value()) << lines.error().message;
  ASSERT_EQ(lines->size(), 1);
  EXPECT_EQ(lines->front().name, "v");
  EXPECT_EQ(lines->front().edges[1], std::pair(std::size_t{1}, std::size_t{2}));
  const auto table = read_graphs("durations_s,edges\n5 6 7,0-1 1-2\r\n5,\n", "t");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->at(0).nodes, 3);
  EXPECT_EQ(table->at(0).edges.size(), 2);
  EXPECT_EQ(table->at(1).nodes, 1);
}

TEST(ReadGraphs, ReadsTheShippedOnes) {
  const auto text = read_text_file(std::string(HF_SOURCE_DIR) + "/data/traces/asynchow.csv");
  ASSERT_TRUE(text.has_value());
  const auto graphs = read_graphs(*text, "asynchow");
  ASSERT_TRUE(graphs.has_value()) << graphs.error().message;
  EXPECT_GT(graphs->size(), 1000);
}

TEST(ReadGraphs, NamesTheLineOfWhatIsWrong) {
  const auto message = [](std::string_view text) {
    const auto graphs = read_graphs(text, "file");
    EXPECT_FALSE(graphs.has_value()) << text;
    return graphs ? std::string() : graphs.error().message;
  };
  EXPECT_THAT(message("{\"n\":2,\"edges\":[]}\n{\"n\":2,\"edges\":[[1,2],[2,1]]}"),
              HasSubstr("line 2: its edges go in a circle"));
  EXPECT_THAT(message("{\"n\":2,\"edges\":[[1,3]]}"), HasSubstr("not there"));
  EXPECT_THAT(message("{\"n\":2,\"edges\":[[0,1]]}"), HasSubstr("nodes from 1"));
  EXPECT_THAT(message("{\"n\":2,\"edges\":[[1,2],[1,2]]}"), HasSubstr("twice"));
  EXPECT_THAT(message("{\"n\":0,\"edges\":[]}"), HasSubstr("line 1"));
  EXPECT_THAT(message("{\"n\":99999,\"edges\":[]}"), HasSubstr("1000"));
  EXPECT_THAT(message("{\"edges\":[]}"), HasSubstr("line 1"));
  EXPECT_THAT(message("nonsense"), HasSubstr("line 1"));
  EXPECT_THAT(message("durations_s,edges\n1 2,0:1"), HasSubstr("line 2"));
  EXPECT_THAT(message("durations_s,edges\n,"), HasSubstr("at least one node"));
  EXPECT_THAT(message(""), HasSubstr("no graph"));
}

TEST(Compose, UsesEveryRowAtMostOnceAndOneCategoryAQuery) {
  const Dataset rows = made_up(100, 5, "q");
  const auto graphs = read_graphs(
      "{\"n\":3,\"edges\":[[1,2],[2,3]]}\n{\"n\":4,\"edges\":[[1,4],[2,4],[3,4]]}\n"
      "{\"n\":50,\"edges\":[]}",
      "g");
  ASSERT_TRUE(graphs.has_value());
  const auto composed = compose(rows, *graphs, 1);
  ASSERT_TRUE(composed.has_value()) << composed.error().message;
  std::set<std::string> texts;
  for (std::size_t q = 0; q < composed->dataset.queries(); ++q) {
    const auto query = composed->dataset.query(q);
    EXPECT_TRUE(query.size() == 3 || query.size() == 4);
    for (const OutcomeRow& row : query) {
      EXPECT_EQ(row.category, query.front().category);
      EXPECT_TRUE(texts.insert(row.text).second) << row.text;
    }
    EXPECT_EQ(query.back().role, Role::kGenerate);
    EXPECT_EQ(query.front().role, Role::kAnalyze);
  }
  EXPECT_EQ(texts.size() + composed->rows_left_out, 100);
  EXPECT_LE(composed->rows_left_out, 9);
  const auto again = compose(rows, *graphs, 1);
  EXPECT_EQ(outcome_text(again->dataset.rows()), outcome_text(composed->dataset.rows()));
  const auto other = compose(rows, *graphs, 2);
  EXPECT_NE(outcome_text(other->dataset.rows()), outcome_text(composed->dataset.rows()));
}

TEST(Compose, FailsIfNoGraphFits) {
  const auto graphs = read_graphs("{\"n\":13,\"edges\":[]}", "g");
  ASSERT_TRUE(graphs.has_value());
  EXPECT_FALSE(compose(made_up(100, 5, "q"), *graphs, 1).has_value());
}

}  // namespace
}  // namespace hf::eval
