// Goal: text is a number only if all of it is one and it fits.
#include "base/number.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace hf {
namespace {

TEST(ParseNumber, TakesWholeNumbersToTheLastOneThatFits) {
  EXPECT_EQ(parse_number<int>("-12"), -12);
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_number<std::uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(parse_number<std::int64_t>("-9223372036854775808"),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_number<std::uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(parse_number<unsigned>("fF", 16), 255U);
}

TEST(ParseNumber, RefusesWhatIsNotAllOfTheText) {
  for (const auto* text : {"", " 1", "1 ", "+1", "0x1", "1.0", "1,000", "1e3", "one"}) {
    EXPECT_EQ(parse_number<int>(text), std::nullopt) << text;
  }
  for (const auto* text : {"", " 1", "1 ", "+1", "0x1", "1,5", "1.5.2", "1e999"}) {
    EXPECT_EQ(parse_number<double>(text), std::nullopt) << text;
  }
}

TEST(ParseNumber, TakesDecimalsInTheFormatThatIsAsked) {
  EXPECT_EQ(parse_number<double>("2.5e3"), 2500.0);
  EXPECT_EQ(parse_number<double>("-0.125", std::chars_format::fixed), -0.125);
  EXPECT_EQ(parse_number<double>("2.5e3", std::chars_format::fixed), std::nullopt);
}

}  // namespace
}  // namespace hf
