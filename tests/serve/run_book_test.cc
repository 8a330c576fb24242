// Goal: receipts are kept up to a number and a size, and the newest always.
// Method: receipts with answers of known sizes.
#include "serve/run_book.h"

#include <gtest/gtest.h>

namespace hf::serve {
namespace {

FinishedRun run(std::string id, std::size_t answer = 0) {
  Receipt receipt;
  receipt.run = std::move(id);
  receipt.answer = std::string(answer, 'x');
  return {.owner = "",
          .model = "m",
          .created = 1,
          .receipt = std::make_shared<const Receipt>(std::move(receipt))};
}

constexpr std::size_t kRoom = 3 * sizeof(Receipt);

TEST(RunBook, ForgetsTheOldestBeyondTheirNumber) {
  RunBook book(2, 100 * kRoom);
  for (const char* id : {"a", "b", "c"}) book.keep(run(id));
  EXPECT_EQ(book.find("a"), nullptr);
  ASSERT_NE(book.find("b"), nullptr);
  EXPECT_EQ(book.find("c")->receipt->run, "c");
}

TEST(RunBook, ForgetsTheOldestBeyondTheirBytes) {
  RunBook book(10, kRoom);
  book.keep(run("a"));
  book.keep(run("b"));
  EXPECT_NE(book.find("a"), nullptr);
  book.keep(run("c", kRoom));
  EXPECT_EQ(book.find("a"), nullptr);
  EXPECT_EQ(book.find("b"), nullptr);
  EXPECT_NE(book.find("c"), nullptr);
}

TEST(RunBook, KeepsTheNewestHoweverLarge) {
  RunBook book(10, 100);
  book.keep(run("a"));
  book.keep(run("b", 10 * kRoom));
  EXPECT_EQ(book.find("a"), nullptr);
  EXPECT_NE(book.find("b"), nullptr);
}

}  // namespace
}  // namespace hf::serve
