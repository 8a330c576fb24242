// Goal: a short text says what was put into it, up to its capacity, and never half a character.
// Method: texts that fit, just fit, and do not; a copy of each against an ordinary string.
#include "base/short_text.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace hf {
namespace {

TEST(ShortText, HoldsWhatIsPutInAndFormatted) {
  ShortText<32> text;
  EXPECT_TRUE(text.empty());
  text.append("gain").append(" {:.2f} {}", 0.314, '>').append("");
  EXPECT_EQ(text, "gain 0.31 >");
  EXPECT_EQ(text.size(), 11U);
  EXPECT_EQ(ShortText<32>("{} of {}", 1, 2), "1 of 2");
  EXPECT_EQ(ShortText<32>(std::string("as it is: {}")), "as it is: {}");
  text.clear();
  EXPECT_EQ(text, ShortText<32>());
}

TEST(ShortText, CutsWhatDoesNotFit) {
  EXPECT_EQ(ShortText<4>("abcd"), "abcd");
  EXPECT_EQ(ShortText<4>("abcde"), "abcd");
  EXPECT_EQ(ShortText<4>("ab").append("{}", 12345), "ab12");
  EXPECT_EQ(ShortText<4>("abcd").append("e"), "abcd");
}

TEST(ShortText, NeverCutsACharacterInTwo) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  const auto check = [&]<std::size_t... kLength>(std::index_sequence<kLength...>) {
    const auto holds = [&](std::string_view cut) {
      EXPECT_TRUE(is_utf8(cut)) << cut;
      EXPECT_TRUE(text.starts_with(cut)) << cut;
      return cut.size();
    };
    return std::vector<std::size_t>{holds(ShortText<kLength>(text))...};
  };
  EXPECT_EQ(check(std::make_index_sequence<12>()),
            (std::vector<std::size_t>{0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11}));
}

}  // namespace
}  // namespace hf
