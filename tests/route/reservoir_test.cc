// Goal: the price is the ratio at which the best decisions use up the money, and old ones fade.
// Method: by hand; and against a slow version on random streams.
#include "route/reservoir.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

namespace hf {
namespace {

TEST(Reservoir, KnowsNoPriceYet) {
  EXPECT_EQ(Reservoir(4).price(0.1), 0);
  EXPECT_EQ(Reservoir(4).size(), 0U);
}

TEST(Reservoir, PricesTheFirstThatCannotBePaidFor) {
  Reservoir reservoir(10);
  for (const double gain : {0.1, 0.4, 0.2, 0.3}) reservoir.add(gain, 1);
  EXPECT_DOUBLE_EQ(reservoir.price(0.5),
                   0.2);  // 0.4 and 0.3 are bought; 0.2 is the first that is not.
  EXPECT_DOUBLE_EQ(reservoir.price(0.0), 0.4);
  EXPECT_EQ(reservoir.price(1), 0) << "money for everything";
}

TEST(Reservoir, PaysNothingForALoss) {
  Reservoir reservoir(10);
  reservoir.add(0.4, 1);
  reservoir.add(-0.4, 1);
  reservoir.add(-0.2, 1);
  EXPECT_EQ(reservoir.price(0.5), 0);
}

TEST(Reservoir, ForgetsTheOldest) {
  Reservoir reservoir(2);
  reservoir.add(0.9, 1);
  reservoir.add(0.1, 1);
  reservoir.add(0.2, 1);
  EXPECT_EQ(reservoir.size(), 2U);
  EXPECT_DOUBLE_EQ(reservoir.price(0), 0.2);
}

RC_GTEST_PROP(Reservoir, AgreesWithASlowOne, ()) {
  const auto capacity = *rc::gen::inRange<std::size_t>(1, 12);
  Reservoir fast(capacity);
  std::deque<std::pair<double, double>> slow;  // Gain and cost.
  const auto steps = *rc::gen::inRange(0, 40);
  for (int i = 0; i < steps; ++i) {
    const double gain = *rc::gen::inRange(-5, 6) / 10.0;
    const double cost = *rc::gen::inRange(1, 5);
    fast.add(gain, cost);
    slow.emplace_back(gain, cost);
    if (slow.size() > capacity) slow.pop_front();

    const double share = *rc::gen::inRange(0, 10) / 10.0;
    std::vector<std::pair<double, double>> best(slow.begin(), slow.end());
    std::ranges::sort(best, std::ranges::greater(),
                      [](const auto& each) { return each.first / each.second; });
    double money = 0;
    for (const auto& each : best) money += each.second * share;
    double price = 0;
    for (const auto& [each_gain, each_cost] : best) {
      if (each_gain <= 0) break;
      money -= each_cost;
      if (money < -1e-9) {
        price = each_gain / each_cost;
        break;
      }
    }
    // At the very edge rounding may buy one more or less; those prices are neighbours.
    if (std::abs(money) > 1e-6) RC_ASSERT(std::abs(fast.price(share) - price) < 1e-9);
  }
}

}  // namespace
}  // namespace hf
