// Goal: the optimum is the optimum, its bound a bound, and large real sizes take no effort.
// Method: brute force over all choices of random small cases, random large cases against their
// bound and against dynamic programming.
#include "eval/oracle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace hf::eval {
namespace {

using Groups = std::vector<std::vector<OracleOption>>;

// The best value of all choices that cost at most `budget`; nullopt if there is none.
std::optional<std::int64_t> brute_force(const Groups& groups, std::int64_t budget,
                                        std::size_t from = 0) {
  if (from == groups.size()) return budget >= 0 ? std::optional<std::int64_t>(0) : std::nullopt;
  std::optional<std::int64_t> best;
  for (const OracleOption& option : groups[from]) {
    const auto rest = brute_force(groups, budget - option.cost, from + 1);
    if (rest && (!best || *best < *rest + option.value)) best = *rest + option.value;
  }
  return best;
}

// What the choice says of itself is true.
bool adds_up(const OracleChoice& choice, const Groups& groups) {
  std::int64_t value = 0;
  std::int64_t cost = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    value += groups[g].at(choice.chosen[g]).value;
    cost += groups[g].at(choice.chosen[g]).cost;
  }
  return choice.chosen.size() == groups.size() && value == choice.value && cost == choice.cost;
}

// Values around zero with many ties; costs with ties and now and then nothing.
rc::Gen<Groups> some_groups(std::int64_t cost_min) {
  const auto option = rc::gen::apply(
      [](std::int64_t value, std::int64_t cost) { return OracleOption{value, cost}; },
      rc::gen::inRange<std::int64_t>(-4, 12), rc::gen::inRange<std::int64_t>(cost_min, 9));
  return rc::gen::resize(7, rc::gen::container<Groups>(rc::gen::nonEmpty(rc::gen::resize(
                                4, rc::gen::container<std::vector<OracleOption>>(option)))));
}

RC_GTEST_PROP(BestChoices, AreThoseOfBruteForce, ()) {
  const Groups groups = *some_groups(-3);
  const auto budget = *rc::gen::inRange<std::int64_t>(-10, 40);
  const auto expected = brute_force(groups, budget);
  const auto choice = best_choices(groups, budget);
  RC_ASSERT(choice.has_value() == expected.has_value());
  if (!choice) return;
  RC_ASSERT(adds_up(*choice, groups));
  RC_ASSERT(choice->is_exact);
  RC_ASSERT(choice->cost <= budget);
  RC_ASSERT(choice->value == *expected);
  RC_ASSERT(choice->bound >= static_cast<double>(choice->value) - 1e-9);
}

RC_GTEST_PROP(BestChoices, AreThoseOfBruteForceWithLargeUnevenNumbers, (std::uint64_t seed)) {
  Rng rng(seed);
  Groups groups(rng.below(7) + 1);
  std::int64_t total = 0;
  for (auto& options : groups) {
    for (std::uint64_t i = rng.below(4) + 1; i > 0; --i) {
      options.push_back({static_cast<std::int64_t>(rng.below(kValueUnits)),
                         static_cast<std::int64_t>(rng.below(10'000'000'000))});
    }
    total += options.back().cost;
  }
  const auto budget = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(total) + 1));
  const auto choice = best_choices(groups, budget);
  const auto expected = brute_force(groups, budget);
  RC_ASSERT(choice.has_value() == expected.has_value());
  if (choice) RC_ASSERT(choice->value == *expected && adds_up(*choice, groups));
}

RC_GTEST_PROP(BestItems, AreThoseOfBruteForceAndNoneThatIsWorthNothing, ()) {
  const auto items = *rc::gen::resize(
      12, rc::gen::container<std::vector<OracleOption>>(rc::gen::apply(
              [](std::int64_t value, std::int64_t cost) { return OracleOption{value, cost}; },
              rc::gen::inRange<std::int64_t>(-3, 6), rc::gen::inRange<std::int64_t>(0, 9))));
  const auto budget = *rc::gen::inRange<std::int64_t>(0, 40);
  Groups groups;
  for (const OracleOption& item : items) groups.push_back({{}, item});
  const OracleChoice choice = best_items(items, budget);
  RC_ASSERT(choice.value == *brute_force(groups, budget));
  RC_ASSERT(choice.cost <= budget && choice.is_exact && adds_up(choice, groups));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].value <= 0) RC_ASSERT(choice.chosen[i] == 0U);
    if (items[i].value > 0 && items[i].cost == 0) RC_ASSERT(choice.chosen[i] == 1U);
  }
}

TEST(BestItems, MixInPartsAtTheBound) {
  const OracleChoice choice = best_items(std::vector<OracleOption>{{10, 10}, {6, 10}}, 15);
  EXPECT_EQ(choice.value, 10);
  EXPECT_DOUBLE_EQ(choice.bound, 13);
}

TEST(BestItems, OfNothingAreNone) {
  EXPECT_EQ(best_items({}, 5).value, 0);
  EXPECT_TRUE(best_items({}, 5).chosen.empty());
}

TEST(BestChoices, NeedABudgetForTheCheapest) {
  const Groups groups = {{{5, 3}, {9, 4}}};
  EXPECT_FALSE(best_choices(groups, 2));
  EXPECT_EQ(best_choices(groups, 3)->chosen, std::vector<std::uint32_t>{0});
  EXPECT_EQ(best_choices(groups, INT64_MAX)->chosen, std::vector<std::uint32_t>{1});
}

// Gains in thousandths, right or wrong, or proportional to costs; costs up to a cent.
std::vector<OracleOption> many_items(int kind, std::size_t count) {
  Rng rng(static_cast<std::uint64_t>(kind));
  std::vector<OracleOption> items;
  for (std::size_t i = 0; i < count; ++i) {
    const auto cost = static_cast<std::int64_t>(rng.below(10'000) + 1);
    std::int64_t value = static_cast<std::int64_t>(rng.below(3)) - 1;  // Right or wrong.
    if (kind == 1) value = static_cast<std::int64_t>(rng.below(2001)) - 1000;
    if (kind == 2) value = cost + static_cast<std::int64_t>(rng.below(1000));
    items.push_back({value, cost});
  }
  return items;
}

// The best value for every budget up to `budget`, one item after another.
std::int64_t dynamic_programme(const std::vector<OracleOption>& items, std::size_t budget) {
  std::vector<std::int64_t> best(budget + 1);
  for (const OracleOption& item : items) {
    const auto cost = static_cast<std::size_t>(item.cost);
    for (std::size_t room = budget; room >= cost; --room) {
      best[room] = std::max(best[room], best[room - cost] + item.value);
    }
  }
  return best[budget];
}

TEST(BestItems, AgreeWithDynamicProgrammingOnHundredsOfItems) {
  for (const int kind : {0, 1, 2}) {
    const auto items = many_items(kind, 300);
    for (const std::size_t budget : {20'000U, 200'000U}) {
      const OracleChoice choice = best_items(items, static_cast<std::int64_t>(budget));
      EXPECT_EQ(choice.value, dynamic_programme(items, budget)) << kind << ' ' << budget;
      EXPECT_TRUE(choice.is_exact);
    }
  }
}

TEST(BestItems, AreExactForTenThousandWithLittleWork) {
  for (const int kind : {0, 1, 2}) {
    auto items = many_items(kind, 10'000);
    std::int64_t total = 0;
    for (OracleOption& item : items) total += item.cost *= 999'983;  // Picodollars.
    for (const int percent : {5, 10, 25, 50, 99}) {
      const OracleChoice choice = best_items(items, total / 100 * percent, 500'000);
      EXPECT_TRUE(choice.is_exact) << kind << ' ' << percent;
      EXPECT_LE(static_cast<double>(choice.value), choice.bound);
      EXPECT_GE(static_cast<double>(choice.value), choice.bound - 1000);  // Less than an item's.
    }
  }
}

TEST(BestItems, WithoutTimeToFinishSayTheGap) {
  Rng rng(5);
  std::vector<OracleOption> items;  // Values that follow the costs closely are the hard case.
  for (int i = 0; i < 2000; ++i) {
    const auto cost = static_cast<std::int64_t>(rng.below(1'000'000'000) + 1);
    items.push_back({cost + 100'000'000, cost});
  }
  const OracleChoice choice = best_items(items, 300'000'000'000, 1000);
  EXPECT_FALSE(choice.is_exact);
  EXPECT_LE(choice.cost, 300'000'000'000);
  EXPECT_GT(static_cast<double>(choice.value), choice.bound * 0.999);
}

TEST(ValueUnits, AreMillionths) {
  EXPECT_EQ(value_units(1), kValueUnits);
  EXPECT_EQ(value_units(-0.3333333), -333'333);
}

}  // namespace
}  // namespace hf::eval
