// Goal: no reservation ever lets a scope overspend, and every amount is booked exactly once.
// Method: each rule by hand, then random operations against a naive model of the same rules.
#include "ledger/ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <vector>

namespace hf {
namespace {

Amounts amounts(std::int64_t usd, std::int64_t tokens) {
  return {PicoUsd(usd), Tokens(tokens)};
}

Budget limits(std::int64_t usd, std::int64_t tokens) {
  return {.usd = PicoUsd(usd), .cloud_tokens = Tokens(tokens), .deadline = {}};
}

TEST(Ledger, HoldsTheWorstCaseAndBooksTheActualOne) {
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, limits(100, 50));
  const auto reservation = ledger.reserve(scope, amounts(80, 40));
  ASSERT_TRUE(reservation);
  EXPECT_EQ(ledger.state(scope).held, amounts(80, 40));
  EXPECT_EQ(ledger.state(scope).spent, amounts(0, 0));
  EXPECT_FALSE(ledger.settle(*reservation, amounts(30, 10)).overrun);
  EXPECT_EQ(ledger.state(scope).held, amounts(0, 0));
  EXPECT_EQ(ledger.state(scope).spent, amounts(30, 10));
}

TEST(Ledger, AllowsExactlyTheLimitAndNothingMore) {
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, limits(100, 50));
  EXPECT_TRUE(ledger.fits(scope, amounts(100, 50)));
  EXPECT_FALSE(ledger.fits(scope, amounts(101, 50)));
  EXPECT_FALSE(ledger.fits(scope, amounts(100, 51)));
  EXPECT_TRUE(ledger.reserve(scope, amounts(100, 50)));
  EXPECT_FALSE(ledger.reserve(scope, amounts(1, 0)));
}

TEST(Ledger, NamesScopeAxisAndNumbersInARefusal) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, limits(100, 1000));
  const ScopeId query = ledger.open("query", process, limits(1000, 50));
  ledger.settle(*ledger.reserve(query, amounts(10, 20)), amounts(10, 20));
  ASSERT_TRUE(ledger.reserve(query, amounts(15, 5)));

  const auto inner = ledger.reserve(query, amounts(10, 30));
  ASSERT_FALSE(inner);
  EXPECT_EQ(inner.error().scope, "query");
  EXPECT_EQ(inner.error().axis, Axis::kCloudTokens);
  EXPECT_EQ(inner.error().limit, 50);
  EXPECT_EQ(inner.error().spent, 20);
  EXPECT_EQ(inner.error().held, 5);
  EXPECT_EQ(inner.error().asked, 30);
  EXPECT_TRUE(inner.error().may_fit_later());

  const auto outer = ledger.reserve(query, amounts(91, 0));
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().scope, "process");
  EXPECT_EQ(outer.error().axis, Axis::kUsd);
  EXPECT_FALSE(outer.error().may_fit_later());
}

TEST(Ledger, TakesFromAllScopesOrFromNone) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, limits(100, 100));
  const ScopeId one = ledger.open("query", process, {});
  const ScopeId two = ledger.open("query", process, limits(10, 10));
  ASSERT_TRUE(ledger.reserve(one, amounts(60, 60)));
  EXPECT_EQ(ledger.state(process).held, amounts(60, 60));
  EXPECT_FALSE(ledger.reserve(two, amounts(11, 1)));
  EXPECT_EQ(ledger.state(process).held, amounts(60, 60));
  EXPECT_EQ(ledger.state(two).held, amounts(0, 0));
  EXPECT_FALSE(ledger.reserve(one, amounts(41, 1)));
  EXPECT_TRUE(ledger.reserve(two, amounts(10, 10)));
}

TEST(Ledger, ChargesAnOverrunInFullAndSaysSo) {
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, limits(100, 100));
  EXPECT_TRUE(ledger.settle(*ledger.reserve(scope, amounts(50, 50)), amounts(50, 51)).overrun);
  EXPECT_TRUE(ledger.settle(*ledger.reserve(scope, amounts(10, 10)), amounts(200, 0)).overrun);
  EXPECT_EQ(ledger.state(scope).spent, amounts(250, 51));
  EXPECT_FALSE(ledger.fits(scope, amounts(1, 0)));
}

TEST(Ledger, LetsAFreeCallPassAScopeThatIsOverdrawn) {
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, limits(10, 10));
  ledger.settle(*ledger.reserve(scope, amounts(10, 10)), amounts(20, 20));
  EXPECT_TRUE(ledger.reserve(scope, amounts(0, 0)));
}

TEST(Ledger, RebooksALateBillInAllScopes) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, {});
  const ScopeId query = ledger.open("query", process, limits(100, 100));
  ledger.settle(*ledger.reserve(query, amounts(90, 90)), amounts(90, 90));
  ledger.rebook(query, amounts(90, 90), amounts(20, 30));
  EXPECT_EQ(ledger.state(query).spent, amounts(20, 30));
  EXPECT_EQ(ledger.state(process).spent, amounts(20, 30));
  EXPECT_TRUE(ledger.fits(query, amounts(80, 70)));
}

TEST(Ledger, KeepsTheSpendingOfAClosedScopeInItsParent) {
  Ledger ledger;
  const ScopeId process = ledger.open("process", std::nullopt, limits(100, 100));
  const ScopeId query = ledger.open("query", process, {});
  ledger.settle(*ledger.reserve(query, amounts(70, 7)), amounts(70, 7));
  ledger.close(query);
  const ScopeId next = ledger.open("query", process, {});
  EXPECT_EQ(ledger.state(next).spent, amounts(0, 0));
  EXPECT_EQ(ledger.state(process).spent, amounts(70, 7));
  EXPECT_FALSE(ledger.fits(next, amounts(31, 0)));
}

TEST(Ledger, SaturatesInsteadOfWrapping) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, limits(kMost - 1, kMost - 1));
  ledger.settle(*ledger.reserve(scope, amounts(0, 0)), amounts(kMost, kMost));
  EXPECT_EQ(ledger.state(scope).spent, amounts(kMost, kMost));
  EXPECT_FALSE(ledger.fits(scope, amounts(kMost, kMost)));
  EXPECT_FALSE(ledger.fits(scope, amounts(1, 0)));
}

TEST(LedgerDeathTest, RefusesToSettleTwiceOrToCloseWhileSomethingIsHeld) {
  Ledger ledger;
  const ScopeId scope = ledger.open("query", std::nullopt, {});
  const ReservationId reservation = *ledger.reserve(scope, amounts(1, 1));
  EXPECT_DEATH(ledger.close(scope), "reservations == 0");
  ledger.settle(reservation, amounts(1, 1));
  EXPECT_DEATH(ledger.settle(reservation, amounts(1, 1)), "is_open");
  ASSERT_TRUE(ledger.reserve(scope, amounts(1, 1)));  // The slot is used again.
  EXPECT_DEATH(ledger.settle(reservation, amounts(1, 1)), "turn");
}

// A process scope with three query scopes, and what they should hold, added up the slow way.
RC_GTEST_PROP(LedgerProperty, NeverExceedsALimitAndAgreesWithTheModel, ()) {
  struct Open {
    std::size_t scope;
    ReservationId id;
    Amounts worst;
  };
  Ledger ledger;
  const auto amount = [](std::int64_t most) {
    return amounts(*rc::gen::inRange<std::int64_t>(0, most),
                   *rc::gen::inRange<std::int64_t>(0, most));
  };
  std::vector<Amounts> limit = {amount(300), amount(150), amount(150), amount(150)};
  std::vector<ScopeId> scopes = {ledger.open(
      "process", std::nullopt, limits(limit[0].usd.count(), limit[0].cloud_tokens.count()))};
  for (std::size_t i = 1; i < 4; ++i) {
    scopes.push_back(ledger.open("query", scopes[0],
                                 limits(limit[i].usd.count(), limit[i].cloud_tokens.count())));
  }
  std::vector<Amounts> spent(4);
  std::vector<Amounts> held(4);
  std::vector<Open> open;
  const int operations = *rc::gen::inRange(0, 60);
  for (int n = 0; n < operations; ++n) {
    if (open.empty() || *rc::gen::inRange(0, 2) == 0) {
      const std::size_t at = *rc::gen::inRange<std::size_t>(1, 4);
      const Amounts worst = amount(60);
      const auto fits = [&](std::size_t i) {
        return (worst.usd == PicoUsd(0) ||
                spent[i].usd + held[i].usd + worst.usd <= limit[i].usd) &&
               (worst.cloud_tokens == Tokens(0) ||
                spent[i].cloud_tokens + held[i].cloud_tokens + worst.cloud_tokens <=
                    limit[i].cloud_tokens);
      };
      const auto reservation = ledger.reserve(scopes[at], worst);
      RC_ASSERT(reservation.has_value() == (fits(at) && fits(0)));
      if (!reservation) {
        RC_ASSERT(ledger.refusal(scopes[at], worst).has_value());
        continue;
      }
      open.push_back({at, *reservation, worst});
      held[at] += worst;
      held[0] += worst;
    } else {
      const std::size_t which = *rc::gen::inRange<std::size_t>(0, open.size());
      const Open done = open[which];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
      const Amounts actual =
          amounts(*rc::gen::inRange<std::int64_t>(0, done.worst.usd.count() + 1),
                  *rc::gen::inRange<std::int64_t>(0, done.worst.cloud_tokens.count() + 1));
      RC_ASSERT(!ledger.settle(done.id, actual).overrun);
      for (const std::size_t i : {done.scope, std::size_t{0}}) {
        held[i] -= done.worst;
        spent[i] += actual;
      }
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const BudgetState state = ledger.state(scopes[i]);
      RC_ASSERT(state.spent == spent[i]);
      RC_ASSERT(state.held == held[i]);
      RC_ASSERT(state.spent.usd + state.held.usd <= limit[i].usd);
      RC_ASSERT(state.spent.cloud_tokens + state.held.cloud_tokens <= limit[i].cloud_tokens);
    }
  }
}

}  // namespace
}  // namespace hf
