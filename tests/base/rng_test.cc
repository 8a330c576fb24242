// Goal: a seed gives the same numbers everywhere, and they are spread.
// Method: the published first values of SplitMix64 for seed 0, and simple counts.
#include "base/rng.h"

#include <gtest/gtest.h>

#include <array>

namespace hf {
namespace {

TEST(Rng, GivesThePublishedSequence) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0xE220A8397B1DCDAFU);
  EXPECT_EQ(rng.next(), 0x6E789E6AA1B965F4U);
  EXPECT_EQ(rng.next(), 0x06C45D188009454FU);
}

TEST(Rng, BelowStaysBelowAndReachesEveryValue) {
  Rng rng(7);
  std::array<int, 5> seen{};
  for (int i = 0; i < 5'000; ++i) seen[rng.below(5)] += 1;
  for (const int count : seen) EXPECT_GT(count, 850);
}

TEST(Rng, SplitsIntoDifferentStreams) {
  Rng rng(7);
  Rng a = rng.split(1);
  Rng b = rng.split(1);
  EXPECT_NE(a.next(), b.next());
}

}  // namespace
}  // namespace hf
