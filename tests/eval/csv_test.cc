// Goal: tables are read as RFC 4180 says, and what is wrong is said with line and column.
// Method: small texts; random tables written by a plain writer and read back.
#include "eval/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace hf::eval {
namespace {

using testing::ElementsAre;

CsvTable good(std::string_view text) {
  auto table = CsvTable::read(text, "t.csv");
  EXPECT_TRUE(table) << (table ? "" : table.error().message);
  return table.value_or(CsvTable());
}

std::string fault(std::string_view text) {
  const auto table = CsvTable::read(text, "t.csv");
  return table ? "accepted" : table.error().message;
}

TEST(Csv, ReadsQuotedFieldsWithCommasQuotesAndLineBreaks) {
  const CsvTable table = good("a,b\n\"x,\"\"y\"\"\nz\",\"\"\n1,é\n");
  EXPECT_THAT(table.header(), ElementsAre("a", "b"));
  ASSERT_EQ(table.rows(), 2U);
  EXPECT_EQ(table.at(0, 0), "x,\"y\"\nz");
  EXPECT_EQ(table.at(0, 1), "");
  EXPECT_EQ(table.at(1, 1), "é");
}

TEST(Csv, TakesBothLineEndsAndNoneAtTheEnd) {
  const CsvTable table = good("\xEF\xBB\xBFname,b\r\n1,\"2\"\r\n3,4\n5,");
  ASSERT_EQ(table.rows(), 3U);
  EXPECT_THAT(table.header(), ElementsAre("name", "b"));
  EXPECT_EQ(table.at(0, 1), "2");
  EXPECT_EQ(table.at(1, 1), "4");
  EXPECT_EQ(table.at(2, 1), "");
}

TEST(Csv, SaysWhereATableIsWrong) {
  EXPECT_EQ(fault(""), "t.csv is empty; its first line names the columns.");
  EXPECT_EQ(fault("a,a\n"), "t.csv: line 1: two columns are named \"a\".");
  EXPECT_EQ(fault("a,b\n\"1\n2\",3\n4\n"), "t.csv: line 4: there are 1 fields, but 2 columns.");
  EXPECT_EQ(fault("a,b\n1,x\"y\"\n"),
            "t.csv: line 2, column 2: a quote stands inside a field that does not begin with one.");
  EXPECT_EQ(fault("a,b\n\n"), "t.csv: line 2: there are 1 fields, but 2 columns.");
  EXPECT_EQ(fault("a,b\n\"1\n\"2,3\n"),
            "t.csv: line 3, column 1: text follows the quote that closes this field.");
  EXPECT_EQ(fault("a,b\n1,2\n3,\"4\n5,6\n"),
            "t.csv: line 3, column 2: the quote that opens this field is never closed.");
}

TEST(Csv, FindsColumnsByNameAndReadsWholeNumbers) {
  const CsvTable table = good("a,b\n\"\n\",1\n7,-3\n");
  EXPECT_EQ(table.column("b"), 1U);
  EXPECT_EQ(table.column("c").error().message, "t.csv has no column \"c\"; it has \"a\", \"b\".");
  EXPECT_EQ(table.integer(1, 1, -3, 1), -3);
  EXPECT_EQ(table.integer(1, 1, -2, 1).error().message,
            "t.csv: line 4, column \"b\": \"-3\" is no whole number from -2 to 1.");
  EXPECT_FALSE(table.integer(0, 0, 0, 1));
}

RC_GTEST_PROP(Csv, ReadsBackWhatAPlainWriterWrote, ()) {
  const auto columns = *rc::gen::inRange<std::size_t>(1, 5);
  const auto field =
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab,\"\n\r é")));
  const auto rows = *rc::gen::container<std::vector<std::vector<std::string>>>(
      rc::gen::container<std::vector<std::string>>(columns, field));
  std::string text;
  for (std::size_t i = 0; i < columns; ++i) text += (i > 0 ? ",c" : "c") + std::to_string(i);
  for (const auto& row : rows) {
    text += "\r\n";
    for (std::size_t i = 0; i < columns; ++i) {
      std::string quoted;
      for (const char c : row[i]) quoted += c == '"' ? "\"\"" : std::string(1, c);
      text += (i > 0 ? ",\"" : "\"") + quoted + '"';
    }
  }
  const auto table = CsvTable::read(text, "t.csv");
  RC_ASSERT(table.has_value());
  RC_ASSERT(table->rows() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < columns; ++j) RC_ASSERT(table->at(i, j) == rows[i][j]);
  }
}

RC_GTEST_PROP(Csv, RefusesOrReadsAnyText, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("a1,\"\n\r")));
  const auto table = CsvTable::read(text, "t.csv");
  if (!table) RC_ASSERT(table.error().message.starts_with("t.csv"));
}

}  // namespace
}  // namespace hf::eval
