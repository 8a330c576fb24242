// Goal: the one-pass look over logits agrees with the textbook formula in double precision.
// Method: random logits of awkward sizes against a naive computation.
#include "engine/logits.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace hf::engine {
namespace {

std::vector<float> some_logits() {
  const auto raw = *rc::gen::container<std::vector<int>>(*rc::gen::inRange<std::size_t>(2, 200),
                                                         rc::gen::inRange(-9000, 3000));
  std::vector<float> logits;
  for (const int value : raw) logits.push_back(static_cast<float>(value) / 100);
  return logits;
}

RC_GTEST_PROP(Logits, ScanAgreesWithTheFormula, ()) {
  const std::vector<float> logits = some_logits();
  std::vector<float> sorted = logits;
  std::ranges::sort(sorted, std::greater{});
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - sorted[0]));
  const LogitScan seen = scan(logits);
  RC_ASSERT(seen.highest == sorted[0]);
  RC_ASSERT(seen.second == sorted[1]);
  RC_ASSERT(seen.best == std::ranges::find(logits, sorted[0]) - logits.begin());
  RC_ASSERT(std::abs(seen.log_sum - (static_cast<double>(sorted[0]) + std::log(sum))) < 1e-5);
}

RC_GTEST_PROP(Logits, HighestAreTheHighestInOrder, ()) {
  const std::vector<float> logits = some_logits();
  const auto count = *rc::gen::inRange<std::size_t>(0, 250);
  std::vector<std::pair<Token, float>> expected;
  for (std::size_t i = 0; i < logits.size(); ++i) expected.emplace_back(i, logits[i]);
  std::ranges::sort(expected, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  expected.resize(std::min(count, expected.size()));
  RC_ASSERT(highest(logits, count) == expected);
}

TEST(Logits, TieHasNoMargin) {
  const std::vector<float> logits{1, 3, 3, 2};
  const LogitScan seen = scan(logits);
  EXPECT_EQ(seen.best, 1);
  EXPECT_EQ(seen.second, seen.highest);
}

TEST(Logits, RuledOutTokensCountNothing) {
  std::vector<float> logits(40, -std::numeric_limits<float>::infinity());
  logits[33] = 5;
  const LogitScan seen = scan(logits);
  EXPECT_EQ(seen.best, 33);
  EXPECT_NEAR(seen.log_sum, 5, 1e-5);
}

}  // namespace
}  // namespace hf::engine
