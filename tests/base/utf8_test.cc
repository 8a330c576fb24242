// Goal: text that arrives in pieces or damaged becomes valid UTF-8, and valid text is left alone.
// Method: known sequences of table 3-7 of the Unicode standard, and random bytes.
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace hf {
namespace {

TEST(Utf8, AcceptsEveryLengthAndRefusesWhatIsIllFormed) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_utf8("\xC0\xAF"));          // Overlong.
  EXPECT_FALSE(is_utf8("\xE0\x80\x80"));      // Overlong.
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));      // A surrogate.
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));  // Above U+10FFFF.
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xE2\x82"));  // Cut off.
}

TEST(Utf8, RepairReplacesOnlyWhatIsBroken) {
  EXPECT_EQ(repair_utf8("a\xFF"
                        "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(repair_utf8("\xE2\x82"), "\xEF\xBF\xBD");
  EXPECT_EQ(repair_utf8("\xE2\x82\xAC"), "\xE2\x82\xAC");
}

TEST(Utf8, RepairOfAnyBytesIsValidAndRepairsNothingTwice) {
  Rng rng(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(rng.below(12), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.below(256));
    const std::string repaired = repair_utf8(bytes);
    EXPECT_TRUE(is_utf8(repaired));
    EXPECT_EQ(repair_utf8(repaired), repaired);
    if (is_utf8(bytes)) EXPECT_EQ(repaired, bytes);
  }
}

TEST(Utf8, HoldsBackACharacterThatIsNotCompleteYet) {
  EXPECT_EQ(complete_utf8_prefix("ab\xE2\x82"), 2U);
  EXPECT_EQ(complete_utf8_prefix("ab\xF0\x9F\x98"), 2U);
  EXPECT_EQ(complete_utf8_prefix("ab\xE2\x82\xAC"), 5U);
  EXPECT_EQ(complete_utf8_prefix("ab\xFF"), 3U);  // Never completed: not held back.
  EXPECT_EQ(complete_utf8_prefix(""), 0U);
}

}  // namespace
}  // namespace hf
