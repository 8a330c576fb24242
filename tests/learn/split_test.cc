// Goal: splits, folds and fingerprints never change, have their shares, and do not hang together.
// Method: literal values for stability; counts over many names.
#include "learn/split.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace hf::learn {
namespace {

// Changing any of these would mix what earlier weights were trained on with what they are judged
// on.
TEST(Split, NeverChanges) {
  EXPECT_EQ(stable_hash(""), 6566800829925814604U);
  EXPECT_EQ(stable_hash("question 17", 5), 7093881195856950172U);
  EXPECT_EQ(category_key("physics"), 2444413492U);
  EXPECT_EQ(fingerprint("What is 2 + 2?"), 4194039152885535504U);
  std::string splits;
  for (int i = 0; i < 20; ++i) {
    splits += "tcx"[static_cast<int>(split_of("q" + std::to_string(i)))];
  }
  EXPECT_EQ(splits, "txtcxtccttxctttttxtx");
}

TEST(Split, HasTheSharesItPromises) {
  std::array<int, 3> counts{};
  for (int i = 0; i < 20'000; ++i) {
    ++counts[static_cast<std::size_t>(split_of(std::to_string(i)))];
  }
  EXPECT_NEAR(counts[0], 12'000, 250);
  EXPECT_NEAR(counts[1], 4'000, 200);
  EXPECT_NEAR(counts[2], 4'000, 200);
}

TEST(Split, FoldsAreEvenWithinEachSplit) {
  std::array<std::array<int, kFolds>, 3> counts{};
  for (int i = 0; i < 50'000; ++i) {
    const std::string name = "query/" + std::to_string(i);
    ++counts[static_cast<std::size_t>(split_of(name))][fold_of(name)];
  }
  for (const int count : counts[0]) EXPECT_NEAR(count, 6'000, 300);
  for (const int count : counts[1]) EXPECT_NEAR(count, 2'000, 200);
  for (const int count : counts[2]) EXPECT_NEAR(count, 2'000, 200);
}

TEST(Split, AFingerprintIgnoresCaseAndBlanks) {
  const std::uint64_t print = fingerprint("What is the Capital of France?");
  EXPECT_EQ(fingerprint("  what is\tthe\r\n capital  of FRANCE?\n"), print);
  EXPECT_NE(fingerprint("what isthe capital of france?"), print);
  EXPECT_NE(fingerprint("what is the capital of france"), print);
  EXPECT_EQ(fingerprint(""), fingerprint(" \n "));
}

TEST(Split, SaltsGiveDifferentHashes) {
  EXPECT_NE(stable_hash("a", 1), stable_hash("a", 2));
  EXPECT_NE(category_key(""), 0U);
}

}  // namespace
}  // namespace hf::learn
