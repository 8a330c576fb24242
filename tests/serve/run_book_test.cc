// Goal: receipts are kept up to a number and a size, and the newest always.
// Method: texts of known sizes.
#include "serve/receipts.h"

#include <gtest/gtest.h>

namespace hf::serve {
namespace {

TEST(Receipts, ForgetTheOldestBeyondTheirNumber) {
  Receipts receipts(2, 1000);
  for (const char* run : {"a", "b", "c"}) receipts.keep(run, run);
  EXPECT_EQ(receipts.find("a"), nullptr);
  ASSERT_NE(receipts.find("b"), nullptr);
  EXPECT_EQ(*receipts.find("c"), "c");
}

TEST(Receipts, ForgetTheOldestBeyondTheirBytes) {
  Receipts receipts(10, 100);
  receipts.keep("a", std::string(60, 'x'));
  receipts.keep("b", std::string(40, 'x'));
  EXPECT_NE(receipts.find("a"), nullptr);
  receipts.keep("c", "x");
  EXPECT_EQ(receipts.find("a"), nullptr);
  EXPECT_NE(receipts.find("b"), nullptr);
}

TEST(Receipts, KeepTheNewestHoweverLarge) {
  Receipts receipts(10, 100);
  receipts.keep("a", "x");
  receipts.keep("b", std::string(1000, 'x'));
  EXPECT_EQ(receipts.find("a"), nullptr);
  EXPECT_NE(receipts.find("b"), nullptr);
}

}  // namespace
}  // namespace hf::serve
