// Goal: a broken endpoint is left alone, and one call at a time finds out when it is back.
// Method: the life of a breaker by hand, one transition a test.
#include "health/breaker.h"

#include <gtest/gtest.h>

namespace hf {
namespace {

using std::chrono::seconds;

constexpr BreakerPolicy kPolicy{.failures_max = 3, .cool_down = seconds(10)};

TimePoint at(int second) {
  return TimePoint(seconds(second));
}

Breaker opened() {
  Breaker breaker(kPolicy);
  for (int i = 0; i < 3; ++i) breaker.failed(at(0), Failure::kServer);
  return breaker;
}

TEST(Breaker, OpensAfterSoManyFailuresInARow) {
  Breaker breaker(kPolicy);
  breaker.failed(at(0), Failure::kServer);
  breaker.failed(at(0), Failure::kGapTimeout);
  EXPECT_TRUE(breaker.allows(at(0)));
  breaker.failed(at(0), Failure::kCut);
  EXPECT_FALSE(breaker.allows(at(0)));
  EXPECT_FALSE(breaker.allows(at(9)));
}

TEST(Breaker, CountsAnewAfterASuccess) {
  Breaker breaker(kPolicy);
  breaker.failed(at(0), Failure::kServer);
  breaker.failed(at(0), Failure::kServer);
  breaker.succeeded();
  breaker.failed(at(0), Failure::kServer);
  breaker.failed(at(0), Failure::kServer);
  EXPECT_TRUE(breaker.allows(at(0)));
}

TEST(Breaker, OpensAtOnceForAWrongKeyOrAddress) {
  for (const Failure failure : {Failure::kUnauthorized, Failure::kNotFound}) {
    Breaker breaker(kPolicy);
    breaker.failed(at(0), failure);
    EXPECT_FALSE(breaker.allows(at(0)));
    EXPECT_TRUE(breaker.allows(at(10)));
  }
}

TEST(Breaker, DoesNotBlameTheEndpointForABadRequestOrLoad) {
  Breaker breaker(kPolicy);
  for (int i = 0; i < 10; ++i) breaker.failed(at(0), Failure::kRejected);
  for (int i = 0; i < 10; ++i) breaker.failed(at(0), Failure::kOverloaded);
  EXPECT_TRUE(breaker.allows(at(0)));
}

TEST(Breaker, LetsOneProbeGoAfterTheCoolDown) {
  Breaker breaker = opened();
  EXPECT_TRUE(breaker.allows(at(10)));
  breaker.started();
  EXPECT_TRUE(breaker.is_probing());
  EXPECT_FALSE(breaker.allows(at(10)));
  EXPECT_FALSE(breaker.allows(at(100)));
}

TEST(Breaker, ClosesWhenTheProbeIsAnswered) {
  Breaker breaker = opened();
  breaker.started();
  breaker.succeeded();
  EXPECT_TRUE(breaker.allows(at(10)));
  EXPECT_FALSE(breaker.is_probing());
  breaker.started();
  EXPECT_TRUE(breaker.allows(at(10)));
}

TEST(Breaker, CoolsDownAgainWhenTheProbeFails) {
  Breaker breaker = opened();
  breaker.started();
  breaker.failed(at(12), Failure::kServer);
  EXPECT_FALSE(breaker.allows(at(21)));
  EXPECT_TRUE(breaker.allows(at(22)));
}

TEST(Breaker, LetsAnotherProbeGoWhenOneIsGivenUpOrTellsNothing) {
  Breaker breaker = opened();
  breaker.started();
  breaker.abandoned();
  EXPECT_TRUE(breaker.allows(at(10)));
  breaker.started();
  breaker.failed(at(11), Failure::kOverloaded);
  EXPECT_TRUE(breaker.allows(at(11)));
}

}  // namespace
}  // namespace hf
