// Goal: a target is hit only by numbers that this run has measured, under the target's conditions.
// Method: results made by hand, one thing changed at a time.
#include "load/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace hf::load {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr auto kNginx = static_cast<std::size_t>(Who::kNginx);
constexpr auto kGateway = static_cast<std::size_t>(Who::kGateway);

Row row(double added_p50, double added_p99, double per_second) {
  Row row;
  row.requests = 1000;
  row.added_p50 = added_p50;
  row.added_p99 = added_p99;
  row.per_second = per_second;
  row.cpu_us = 30;
  return row;
}

Measurement measured(Kind kind, int connections, Duration delay) {
  Measurement one{
      .kind = kind, .connections = connections, .rate = 1000, .delay = delay, .rows = {}};
  one.rows = {row(0, 0, 50'000), row(0.1, 0.2, 40'000), row(0.12, 0.2, 30'000)};
  return one;
}

// A run that hits everything.
BenchResult perfect() {
  BenchResult result;
  result.measurements = {measured(Kind::kOpen, 64, milliseconds(20)),
                         measured(Kind::kClosed, 64, {}),
                         measured(Kind::kStream, 256, milliseconds(20)),
                         measured(Kind::kStream, 512, milliseconds(20))};
  result.cold_start = {.first_ms = 90, .median_ms = 30, .worst_ms = 40};
  result.idle_cpu_ms = 0.0;
  result.memory = {100'000, 20};
  return result;
}

Met met(const BenchResult& result, std::size_t target) {
  return judge(result).at(target).met;
}

std::ptrdiff_t count(const BenchResult& result, Met met) {
  return std::ranges::count(judge(result), met, &Verdict::met);
}

TEST(Verdict, APerfectRunHitsEveryTarget) {
  EXPECT_EQ(count(perfect(), Met::kHit), 10);
}

TEST(Verdict, ARunOfNothingHitsNothing) {
  EXPECT_EQ(count({}, Met::kNotMeasured), 10);
}

TEST(Verdict, EachTargetIsMissedByItsOwnNumber) {
  const auto misses = [](std::size_t target, auto&& change) {
    BenchResult result = perfect();
    change(result);
    EXPECT_EQ(met(result, target), Met::kMiss) << judge(result)[target].target;
    EXPECT_EQ(count(result, Met::kHit), 9) << judge(result)[target].target;
  };
  misses(0, [](BenchResult& r) { r.measurements[0].rows[kGateway]->added_p50 = 0.16; });
  misses(1, [](BenchResult& r) { r.measurements[0].rows[kGateway]->added_p99 = 0.41; });
  misses(2, [](BenchResult& r) { r.measurements[1].rows[kGateway]->per_second = 24'000; });
  misses(3, [](BenchResult& r) { r.measurements[1].rows[kNginx]->per_second = 61'000; });
  misses(4, [](BenchResult& r) { r.measurements[2].rows[kGateway]->added_p99 = 0.31; });
  misses(5, [](BenchResult& r) { r.measurements[3].rows[kGateway]->stalls = 1; });
  misses(5, [](BenchResult& r) { r.measurements[3].rows[kGateway]->chunks_lost = 1; });
  misses(6, [](BenchResult& r) { r.measurements[1].rows[kGateway]->cpu_us = 41; });
  misses(7, [](BenchResult& r) { r.memory->rss_mb = 41; });
  misses(8, [](BenchResult& r) { r.cold_start->median_ms = 51; });
  misses(9, [](BenchResult& r) { r.idle_cpu_ms = 1.5; });
}

TEST(Verdict, WithoutNginxItsRatiosAreNotMeasured) {
  BenchResult result = perfect();
  for (Measurement& one : result.measurements) one.rows[kNginx].reset();
  for (const std::size_t target : {0U, 1U, 3U}) {
    EXPECT_EQ(met(result, target), Met::kNotMeasured);
    EXPECT_EQ(judge(result)[target].seen, "needs --nginx");
  }
  EXPECT_EQ(count(result, Met::kHit), 7);
}

TEST(Verdict, OtherConditionsThanTheTargetsAreNotMeasured) {
  BenchResult result = perfect();
  result.measurements[0].rate = 500;
  result.measurements[1].connections = 32;
  result.measurements[2].delay = milliseconds(10);
  result.measurements[3].connections = 500;
  EXPECT_EQ(count(result, Met::kNotMeasured), 7);
}

TEST(Verdict, FailedRequestsAreNeverAHit) {
  BenchResult result = perfect();
  for (Measurement& one : result.measurements) {
    one.rows[kGateway]->errors = 1;
    one.rows[kGateway]->first_error = "status 500: oops";
  }
  EXPECT_EQ(count(result, Met::kMiss), 7);
  EXPECT_THAT(judge(result)[0].seen, HasSubstr("1 of 1000 requests failed: status 500: oops"));
}

TEST(Verdict, WhatIsLostInTheNoiseIsNoPeer) {
  BenchResult result = perfect();
  result.measurements[0].rows[kNginx]->added_p50 = -0.01;
  EXPECT_EQ(met(result, 0), Met::kNotMeasured);
  result.measurements[0].rows[kNginx]->errors = 1;
  EXPECT_EQ(met(result, 1), Met::kNotMeasured);
}

TEST(Verdict, CostsOfAnUnknownProcessAndTooFewRequestsAreNotMeasured) {
  BenchResult result = perfect();
  result.measurements[1].rows[kGateway]->cpu_us.reset();
  EXPECT_EQ(met(result, 6), Met::kNotMeasured);
  result.memory->requests = 99'999;
  EXPECT_EQ(met(result, 7), Met::kNotMeasured);
}

}  // namespace
}  // namespace hf::load
