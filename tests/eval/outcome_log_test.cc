// Goal: what was appended is there when the file is opened again, whatever happened to its end; a
// file that is not ours to append to is left alone.
// Method: files cut at every byte; a second writer; names and contents that are refused.
#include "eval/outcome_log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "folder.h"
#include "wire/outcome_lines.h"

namespace hf::eval {
namespace {

OutcomeRow row_of(const std::string& query) {
  OutcomeRow row;
  row.query = query;
  row.text = "Grün?";
  row.arms = {{.endpoint = "e",
               .correct = 1,
               .prompt = Tokens(1),
               .completion = Tokens(2),
               .usd = {},
               .output = "7",
               .signals = {}}};
  return row;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Log : public WithFolder {};

TEST_F(Log, GrowsAndIsReadAgain) {
  const auto name = path("out.jsonl");
  for (int i = 0; i < 3; ++i) {
    auto log = OutcomeLog::open(name);
    ASSERT_TRUE(log) << log.error().message;
    EXPECT_EQ(log->rows().size(), static_cast<std::size_t>(i));
    EXPECT_EQ(log->torn_bytes(), 0U);
    ASSERT_TRUE(log->append(row_of(std::to_string(i))));
    EXPECT_EQ(content(name).back(), '\n');  // Not only when it is closed.
  }
  const auto log = OutcomeLog::open(name);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->rows()[2].query, "2");
}

TEST_F(Log, LosesOnlyATornLineWhereverItIsCut) {
  const std::string first = wire::write_outcome_line(row_of("a")) + "\n";
  const std::string both = first + wire::write_outcome_line(row_of("b")) + "\n";
  for (std::size_t size = first.size(); size <= both.size(); ++size) {
    const auto name = file("out.jsonl", both.substr(0, size));
    {
      auto log = OutcomeLog::open(name);
      ASSERT_TRUE(log) << log.error().message;
      const bool is_torn = size + 1 < both.size();  // Without its line end it is whole.
      EXPECT_EQ(log->rows().size(), is_torn ? 1U : 2U) << size;
      EXPECT_EQ(log->torn_bytes(), is_torn ? size - first.size() : 0U);
      ASSERT_TRUE(log->append(row_of("c")));
    }
    const auto again = OutcomeLog::open(name);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->rows().back().query, "c");
  }
}

TEST_F(Log, IsWrittenByOneAtATime) {
  const auto log = OutcomeLog::open(path("out.jsonl"));
  ASSERT_TRUE(log);
  const auto second = OutcomeLog::open(path("out.jsonl"));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another program"), std::string::npos);
}

TEST_F(Log, RefusesWhatItCannotContinueAndLeavesItAsItIs) {
  const auto name = file("out.jsonl", "{}\n{}\n");
  const auto wrong = OutcomeLog::open(name);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, name.string() + ": line 1: query is missing.");
  EXPECT_EQ(content(name), "{}\n{}\n");
  EXPECT_FALSE(OutcomeLog::open(path("out.jsonl.gz")));
  EXPECT_FALSE(OutcomeLog::open(path("no folder") / "out.jsonl"));
  EXPECT_FALSE(OutcomeLog::open(path("")));
}

}  // namespace
}  // namespace hf::eval
