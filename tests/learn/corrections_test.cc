// Goal: what was learned survives as text to the bit, and a damaged text is refused.
// Method: round trips of learned states, which then go on alike; each character of a text changed.
#include "learn/corrections.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace hf::learn {
namespace {

Corrections learned(std::uint64_t seed, int rows) {
  Rng rng(seed);
  Corrections corrections;
  for (int i = 0; i < rows; ++i) {
    const auto category = static_cast<std::uint32_t>(rng.below(40));
    learn_from(corrections.edge, rng.unit(), category, rng.unit());
    learn_from(corrections.kept, rng.unit(), category, rng.unit(), 0.25);
    learn_from(corrections.cloud, rng.unit(), 0, rng.unit());
  }
  return corrections;
}

TEST(Corrections, ComeBackFromTheirTextAndGoOnAlike) {
  for (const int rows : {0, 1, 30, 500}) {
    Corrections before = learned(7, rows);
    const std::string text = to_text(before);
    auto after = corrections_from(text);
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(*after, before);
    EXPECT_EQ(to_text(*after), text);
    learn_from(before.edge, 0.4, 3, 1);
    learn_from(after->edge, 0.4, 3, 1);
    EXPECT_EQ(*after, before);
  }
}

TEST(Corrections, WithoutCategoriesAreShort) {
  Corrections corrections;
  for (int i = 0; i < 100; ++i) learn_from(corrections.edge, 0.5, 0, 1);
  EXPECT_LT(to_text(corrections).size(), 600U);
}

TEST(Corrections, AnyChangedCharacterIsRefused) {
  const std::string text = to_text(learned(8, 3));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = damaged[i] == '0' ? '1' : '0';
    EXPECT_FALSE(corrections_from(damaged)) << i;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, text.size() - 2}) {
    EXPECT_FALSE(corrections_from(text.substr(0, size))) << size;
  }
  EXPECT_FALSE(corrections_from("what is this"));
}

TEST(Corrections, MoveAChanceTowardsWhatCameOutAndKeepItAProbability) {
  Corrections corrections;
  EXPECT_DOUBLE_EQ(corrected(corrections.edge, 0.8, 0), 0.8);
  for (int i = 0; i < 200; ++i) learn_from(corrections.edge, 0.8, 0, 0.3);
  EXPECT_NEAR(corrected(corrections.edge, 0.8, 0), 0.3, 0.06);
  for (int i = 0; i < 2000; ++i) learn_from(corrections.cloud, 0.9, 0, 1);
  EXPECT_LE(corrected(corrections.cloud, 0.999, 0), 0.999);
}

TEST(Corrections, ALightLabelMovesLess) {
  Corrections full;
  Corrections light;
  for (int i = 0; i < 8; ++i) {
    learn_from(full.edge, 0.5, 0, 1);
    learn_from(light.edge, 0.5, 0, 1, 0.25);
  }
  EXPECT_GT(corrected(light.edge, 0.5, 0), 0.51);
  EXPECT_LT(corrected(light.edge, 0.5, 0), corrected(full.edge, 0.5, 0) - 0.1);
}

}  // namespace
}  // namespace hf::learn
