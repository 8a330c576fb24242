// Goal: each failure leads to what the manual of failures says (docs/failures.md).
// Method: the whole table by hand, a row each; the names are different and stay what they are.
#include "health/failure_rule.h"

#include <gtest/gtest.h>

#include <set>

namespace hf {
namespace {

struct Row {
  Failure failure;
  std::string_view name;
  bool retry_here;
  Blame blame;
  bool is_load;
};

class FailureTable : public testing::TestWithParam<Row> {};

TEST_P(FailureTable, SaysWhatFollows) {
  const Row& row = GetParam();
  EXPECT_EQ(name_of(row.failure), row.name);
  const FailureRule rule = rule_of(row.failure);
  EXPECT_EQ(rule.retry_here, row.retry_here);
  EXPECT_EQ(rule.blame, row.blame);
  EXPECT_EQ(rule.is_load, row.is_load);
}

INSTANTIATE_TEST_SUITE_P(
    All, FailureTable,
    testing::Values(Row{Failure::kRefused, "refused", true, Blame::kCount, false},
                    Row{Failure::kRejected, "rejected", false, Blame::kNone, false},
                    Row{Failure::kUnauthorized, "unauthorized", false, Blame::kOpen, false},
                    Row{Failure::kNotFound, "not-found", false, Blame::kOpen, false},
                    Row{Failure::kRateLimited, "rate-limited", true, Blame::kNone, true},
                    Row{Failure::kOverloaded, "overloaded", true, Blame::kNone, true},
                    Row{Failure::kServer, "server", true, Blame::kCount, false},
                    Row{Failure::kConnectTimeout, "connect-timeout", true, Blame::kCount, false},
                    Row{Failure::kFirstTokenTimeout, "first-token-timeout", true, Blame::kCount,
                        true},
                    Row{Failure::kGapTimeout, "gap-timeout", true, Blame::kCount, false},
                    Row{Failure::kTotalTimeout, "total-timeout", false, Blame::kCount, true},
                    Row{Failure::kCut, "cut", true, Blame::kCount, false},
                    Row{Failure::kMalformed, "malformed", true, Blame::kCount, false},
                    Row{Failure::kEngineLost, "engine-lost", true, Blame::kCount, false}),
    [](const auto& each) {
      std::string name(each.param.name);
      std::erase(name, '-');
      return name;
    });

TEST(FailureNames, AreAllDifferent) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFailures; ++i) names.insert(name_of(static_cast<Failure>(i)));
  EXPECT_EQ(names.size(), kFailures);
  EXPECT_EQ(name_of(static_cast<Failure>(kFailures)), "none");
}

}  // namespace
}  // namespace hf
