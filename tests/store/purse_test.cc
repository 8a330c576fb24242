// Goal: what the store refuses is not sent, and what was not sent costs nothing.
// Method: a source of leases that says what the test tells it to.
#include "store/purse.h"

#include <gtest/gtest.h>

#include <vector>

#include "scratch.h"

namespace hf::store {
namespace {

class Source final : public LeaseSource {
 public:
  Result<Taken> take(std::string_view /*scope*/, const Amounts& wanted,
                     const Amounts& /*least*/) override {
    return Taken(Lease{LeaseId{7}, wanted, {}});
  }
  Result<Taken> extend(LeaseId lease, const Amounts& wanted, const Amounts& /*least*/) override {
    return Taken(Lease{lease, wanted, {}});
  }
  Result<Amounts> left(std::string_view /*scope*/) override { return of(1'000, 1'000); }
  Result<void> started(LeaseId /*lease*/, CallId /*call*/, const Amounts& /*worst*/) override {
    return answer;
  }
  Result<void> settled(LeaseId /*lease*/, CallId call, const Amounts& /*actual*/) override {
    settled_calls.push_back(call);
    return {};
  }
  Result<void> give_back(LeaseId /*lease*/) override { return {}; }

  Result<void> answer;
  std::vector<CallId> settled_calls;
};

TEST(Purse, ACallThatTheStoreRefusesIsNotSentAndNotPaidFor) {
  Source source;
  Purse purse(source, "team");
  const Amounts leased = purse.want(of(10, 10)).leased;
  source.answer = fail(Code::kUnavailable, "the disk is full");
  const auto started = purse.started(CallId{1}, leased);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "the disk is full");
  purse.booked(CallId{1}, leased);
  EXPECT_TRUE(source.settled_calls.empty());

  // All of the lease is still free.
  source.answer = {};
  EXPECT_TRUE(purse.started(CallId{2}, leased));
  purse.booked(CallId{2}, of(1, 1));
  EXPECT_EQ(source.settled_calls, std::vector{CallId{2}});
}

TEST(Purse, NothingIsSentBeforeThereIsALeaseButWhatIsFree) {
  Source source;
  Purse purse(source, "team");
  EXPECT_FALSE(purse.started(CallId{1}, of(1, 0)));
  EXPECT_TRUE(purse.started(CallId{2}, {}));
}

}  // namespace
}  // namespace hf::store
