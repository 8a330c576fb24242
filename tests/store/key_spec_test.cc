// Goal: a key's values are checked, its periods begin and end where a calendar in UTC says, and no
// two accounts ever have one name. Method: tables of cases on the pure functions.
#include "store/key_spec.h"

#include <gtest/gtest.h>

#include <functional>

namespace hf::store {
namespace {

constexpr std::int64_t kOneDay = 86'400;
constexpr std::int64_t kSpecNoon = 1'795'435'200;  // 2026-11-23 12:00.

Key key_of(Period period) {
  Key key;
  key.name = "alice";
  key.id = 7;
  key.period = period;
  return key;
}

TEST(KeySpec, AScopeIsNamedAfterKeyAndPeriod) {
  EXPECT_EQ(scope_of(key_of(Period::kDay), kSpecNoon), "key:alice#7:2026-11-23");
  EXPECT_EQ(scope_of(key_of(Period::kMonth), kSpecNoon), "key:alice#7:2026-11");
  EXPECT_EQ(scope_of(key_of(Period::kTotal), kSpecNoon), "key:alice#7:total");
}

TEST(KeySpec, ADayEndsAtMidnight) {
  const std::int64_t midnight = *period_end(Period::kDay, kSpecNoon);
  EXPECT_EQ(midnight, kSpecNoon + kOneDay / 2);
  const Key key = key_of(Period::kDay);
  EXPECT_EQ(scope_of(key, midnight - 1), "key:alice#7:2026-11-23");
  EXPECT_EQ(scope_of(key, midnight), "key:alice#7:2026-11-24");
  EXPECT_EQ(*period_end(Period::kDay, midnight), midnight + kOneDay);
}

TEST(KeySpec, AMonthEndsWithItsLastDayOfThatYear) {
  const Key key = key_of(Period::kMonth);
  for (const auto& [day, end] :
       {std::pair(1'709'164'800, 1'709'251'200),     // 2024-02-29, a leap year.
        std::pair(1'798'675'200, 1'798'761'600)}) {  // 2026-12-31.
    EXPECT_EQ(period_end(Period::kMonth, day), end);
    EXPECT_NE(scope_of(key, end - 1), scope_of(key, end));
  }
  EXPECT_EQ(scope_of(key, 1'798'761'600), "key:alice#7:2027-01");
}

TEST(KeySpec, ATotalNeverEnds) {
  EXPECT_EQ(period_end(Period::kTotal, kSpecNoon), std::nullopt);
}

TEST(KeySpec, TimesOutOfRangeAreTheNearestThatHaveADate) {
  EXPECT_EQ(day_text(-5), "1970-01-01");
  EXPECT_EQ(day_text(std::int64_t{1} << 60U), "9999-12-31");
}

TEST(KeySpec, OnlyNamesOfKeysScopesHaveALastDay) {
  EXPECT_EQ(last_day_of("key:alice#7:2026-11-23"), "2026-11-23");
  EXPECT_EQ(last_day_of("key:alice#7:2026-11"), "2026-11-31");
  for (const char* other :
       {"", "key:", "key:alice#7:total", "key:alice:2026-11", "team#7:2026-11", "key:2026-11",
        "key:alice#7:2026-1", "key:alice#7:2026-11-23-", "key:a:2026#11", "key:alice#7:2o26-11"}) {
    EXPECT_EQ(last_day_of(other), std::nullopt) << other;
  }
}

TEST(KeySpec, AScopeHasTheLimitsOfItsKey) {
  Key key = key_of(Period::kTotal);
  key.usd = PicoUsd(5);
  const ScopeSpec spec = scope_spec(key, kSpecNoon, "team");
  EXPECT_EQ(spec.name, "key:alice#7:total");
  EXPECT_EQ(spec.parent, "team");
  EXPECT_EQ(spec.limits, (Budget{.usd = PicoUsd(5), .cloud_tokens = {}, .deadline = {}}));
  EXPECT_EQ(scope_spec(key, kSpecNoon).parent, std::nullopt);
}

TEST(KeySpec, AKeyIsUsableUntilItExpiresOrIsRevoked) {
  Key key = key_of(Period::kTotal);
  EXPECT_EQ(state_of(key, kSpecNoon), KeyState::kUsable);
  key.expires_at = kSpecNoon;
  EXPECT_EQ(state_of(key, kSpecNoon - 1), KeyState::kUsable);
  EXPECT_EQ(state_of(key, kSpecNoon), KeyState::kExpired);
  key.revoked_at = kSpecNoon;
  EXPECT_EQ(state_of(key, kSpecNoon - 1), KeyState::kRevoked);
}

TEST(KeySpec, AKeyWithModelsMayUseThemAndNoOther) {
  Key key = key_of(Period::kTotal);
  EXPECT_TRUE(may_use(key, "hybrid/auto"));
  key.models = {"hybrid/edge", "small"};
  EXPECT_TRUE(may_use(key, "small"));
  EXPECT_FALSE(may_use(key, "hybrid/auto"));
  EXPECT_FALSE(may_use(key, "smal"));
}

TEST(KeySpec, ValuesThatMakeNoSenseAreRefusedInWords) {
  const std::vector<std::pair<std::function<void(KeySpec&)>, const char*>> cases = {
      {[](KeySpec& s) { s.name = ""; }, "needs a name"},
      {[](KeySpec& s) { s.name = std::string(65, 'a'); }, "needs a name"},
      {[](KeySpec& s) { s.name = "a:b"; }, "needs a name"},
      {[](KeySpec& s) { s.name = "a#b"; }, "needs a name"},
      {[](KeySpec& s) { s.name = "\xc3\xa4"; }, "needs a name"},
      {[](KeySpec& s) { s.usd = PicoUsd(-1); }, "below zero"},
      {[](KeySpec& s) { s.cloud_tokens = Tokens(-1); }, "below zero"},
      {[](KeySpec& s) { s.requests_per_minute = 0; }, "0 requests"},
      {[](KeySpec& s) { s.in_flight = 0; }, "0 requests"},
      {[](KeySpec& s) { s.models = {""}; }, "up to 64 models"},
      {[](KeySpec& s) { s.models = {"a\nb"}; }, "up to 64 models"},
      {[](KeySpec& s) { s.models = {"\xff"}; }, "up to 64 models"},
      {[](KeySpec& s) { s.models = {std::string(201, 'm')}; }, "up to 64 models"},
      {[](KeySpec& s) { s.models.assign(65, "m"); }, "up to 64 models"},
      {[](KeySpec& s) { s.expires_at = -1; }, "between the years"},
      {[](KeySpec& s) { s.expires_at = std::int64_t{1} << 40U; }, "between the years"}};
  for (const auto& [spoil, words] : cases) {
    KeySpec spec{.name = "alice"};
    ASSERT_TRUE(check_spec(spec));
    spoil(spec);
    const auto checked = check_spec(spec);
    ASSERT_FALSE(checked) << words;
    EXPECT_EQ(checked.error().code, Code::kInvalidInput);
    EXPECT_NE(checked.error().message.find(words), std::string::npos) << checked.error().message;
  }
}

TEST(KeySpec, EveryCharacterOfANameAndEveryLimitAtItsEdgeIsTaken) {
  KeySpec spec{.name = "aZ09._-" + std::string(57, 'x'),
               .usd = PicoUsd(0),
               .cloud_tokens = Tokens(0),
               .requests_per_minute = 1,
               .in_flight = 1,
               .expires_at = 253'402'300'799};
  spec.models.assign(64, std::string(200, 'm'));
  EXPECT_TRUE(check_spec(spec));
}

}  // namespace
}  // namespace hf::store
