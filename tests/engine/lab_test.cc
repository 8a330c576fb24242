// Goal: the lab's pace, failures and kept answers are what was asked for, whatever is on disk.
// Method: pure calls with made-up times, and files that are damaged on purpose.
#include "engine/lab.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "harness.h"

namespace hf::engine {
namespace {

using namespace std::chrono_literals;

std::vector<wire::ChatPiece> answer() {
  std::vector<wire::ChatPiece> pieces(3);
  pieces[0].content = "Hel";
  pieces[0].logprobs = {{.token = "Hel", .logprob = -0.5, .top = {{"Hel", -0.5}, {"He", -2}}}};
  pieces[1].content = "lo\n\"x\"";
  pieces[2].finish_reason = "stop";
  pieces[2].usage = Usage{.prompt = Tokens(9), .cached = Tokens(4), .completion = Tokens(3)};
  pieces[2].signals = Signals{.mean_logprob = -0.25, .margin = 0.5};
  return pieces;
}

wire::ChatRequest request() {
  wire::ChatRequest result;
  result.messages = {{"user", "Say hello\nplease"}};
  result.temperature = 0;
  return result;
}

std::filesystem::path only_file(const std::string& directory) {
  return *std::filesystem::directory_iterator(directory);
}

TEST(LabPace, FirstPieceWaitsForTheRoundTripAndTheRestForTheRate) {
  LabPace pace(
      {.round_trip = 100ms, .tokens_per_second = 10, .failure_rate = 0, .cache_directory = {}},
      TimePoint(1s));
  EXPECT_EQ(pace.next(TimePoint(1s)), TimePoint(1100ms));
  EXPECT_EQ(pace.next(TimePoint(1s)), TimePoint(1200ms));
  EXPECT_EQ(pace.next(TimePoint(5s)), TimePoint(5s));      // Slower by itself: no further delay,
  EXPECT_EQ(pace.next(TimePoint(5s)), TimePoint(5100ms));  // and no catching up.
}

TEST(LabPace, WithoutRateOnlyTheFirstPieceIsDelayed) {
  LabPace pace(
      {.round_trip = 100ms, .tokens_per_second = 0, .failure_rate = 0, .cache_directory = {}},
      TimePoint(0s));
  EXPECT_EQ(pace.next(TimePoint(20ms)), TimePoint(100ms));
  EXPECT_EQ(pace.next(TimePoint(20ms)), TimePoint(100ms));
}

TEST(LabFate, RateIsKeptAndRepeatable) {
  LabOptions options;
  options.failure_rate = 0.25;
  int errors = 0;
  int cuts = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const LabFate fate = lab_fate(options, i);
    EXPECT_EQ(fate.kind, lab_fate(options, i).kind);
    errors += fate.kind == LabFate::Kind::kError ? 1 : 0;
    cuts += fate.kind == LabFate::Kind::kCut ? 1 : 0;
  }
  EXPECT_NEAR(errors + cuts, 500, 80);
  EXPECT_GT(errors, 150);
  EXPECT_GT(cuts, 150);
}

TEST(LabFate, NothingFailsAtRateZeroAndEverythingAtOne) {
  LabOptions none;
  LabOptions all;
  all.failure_rate = 1;
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(lab_fate(none, i).kind, LabFate::Kind::kFine);
    EXPECT_NE(lab_fate(all, i).kind, LabFate::Kind::kFine);
  }
}

TEST(LabCache, KeptAnswerComesBackWhole) {
  const TemporaryDirectory directory;
  const LabCache cache = LabCache::open(directory.path()).value();
  const std::string key = LabCache::key("m", request());
  EXPECT_FALSE(cache.find(key).has_value());
  ASSERT_TRUE(cache.keep(key, answer()).has_value());
  const auto found = cache.find(key);
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].content, "Hel");
  EXPECT_EQ((*found)[0].logprobs.at(0).top.at(1).second, -2);
  EXPECT_EQ((*found)[1].content, "lo\n\"x\"");
  EXPECT_EQ((*found)[2].finish_reason, "stop");
  EXPECT_EQ((*found)[2].usage, answer()[2].usage);
  EXPECT_EQ((*found)[2].signals->margin, 0.5);
}

TEST(LabCache, DeliveryIsNotPartOfTheKeyButEverythingElseIs) {
  const std::string key = LabCache::key("m", request());
  wire::ChatRequest other = request();
  other.stream = true;
  other.include_usage = true;
  other.priority = 9;
  other.model = "default";
  EXPECT_EQ(LabCache::key("m", other), key);
  EXPECT_NE(LabCache::key("n", request()), key);
  other = request();
  other.max_tokens = Tokens(7);
  EXPECT_NE(LabCache::key("m", other), key);
  other = request();
  other.messages[0].content += "!";
  EXPECT_NE(LabCache::key("m", other), key);
}

TEST(LabCache, DamagedEntryIsIgnoredAndRewritten) {
  const TemporaryDirectory directory;
  const LabCache cache = LabCache::open(directory.path()).value();
  const std::string key = LabCache::key("m", request());
  ASSERT_TRUE(cache.keep(key, answer()));
  const auto file = only_file(directory.path());
  const auto size = std::filesystem::file_size(file);
  for (const auto left : {size - 2, size / 2, key.size() + 1, key.size() / 2, std::uintmax_t{0}}) {
    std::filesystem::resize_file(file, left);
    EXPECT_FALSE(cache.find(key).has_value()) << left;
  }
  ASSERT_TRUE(cache.keep(key, answer()));
  EXPECT_TRUE(cache.find(key).has_value());
  std::ofstream(file, std::ios::app) << "not json\n";
  EXPECT_FALSE(cache.find(key).has_value());
}

TEST(LabCache, AnotherRequestWithTheSameHashIsNotMistaken) {
  const TemporaryDirectory directory;
  const LabCache cache = LabCache::open(directory.path()).value();
  const std::string key = LabCache::key("m", request());
  ASSERT_TRUE(cache.keep(key, answer()));
  const auto file = only_file(directory.path());
  const std::string other = LabCache::key("n", request());
  ASSERT_TRUE(cache.keep(other, answer()));
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    if (entry.path() != file)
      std::filesystem::copy_file(file, entry.path(),
                                 std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_FALSE(cache.find(other).has_value());
}

TEST(LabCache, UnfinishedAnswerIsNotKept) {
  const TemporaryDirectory directory;
  const LabCache cache = LabCache::open(directory.path()).value();
  auto pieces = answer();
  pieces.pop_back();
  EXPECT_FALSE(cache.keep("{}", pieces));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(LabCache, UnusableDirectoryIsAnError) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(LabCache::open(file).has_value());
  EXPECT_FALSE(LabCache::open(file + "/below").has_value());
}

}  // namespace
}  // namespace hf::engine
