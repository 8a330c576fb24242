// Goal: quantities add and compare within their own kind and cost nothing to reason about.
// Method: arithmetic on small values; what must not compile is in tests/nocompile.
#include "base/units.h"

#include <gtest/gtest.h>

namespace hf {
namespace {

TEST(Quantity, AddsSubtractsAndComparesWithinItsKind) {
  Tokens tokens(5);
  tokens += Tokens(3);
  EXPECT_EQ(tokens, Tokens(8));
  EXPECT_EQ(tokens - Tokens(10), Tokens(-2));
  EXPECT_LT(Tokens(7), tokens);
  EXPECT_EQ(Tokens(), Tokens(0));
}

TEST(Quantity, ListPricesPerMillionAreExactInPicodollars) {
  // $0.0375 per million tokens, times a million tokens, is $0.0375.
  const PicoUsd per_token(37'500);
  EXPECT_EQ(per_token * 1'000'000, PicoUsd(37'500'000'000));
}

}  // namespace
}  // namespace hf
