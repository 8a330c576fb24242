// Goal: a log is on disk when it matters, belongs to its user alone, and a disk that takes no more
// costs the end of the log and nothing else.
// Method: real files; a full disk is a limit on the size of files of this process, and /dev/full.
#include "runtime/recorder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace hf {
namespace {

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    std::string name = ::testing::TempDir() + "recorder.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/run.log";
  }
  ~RecorderTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::unique_ptr<Recorder> recorder(const std::string& path) const {
    auto created = Recorder::create(path, "1.2.3");
    EXPECT_TRUE(created.has_value());
    return *std::move(created);
  }

  [[nodiscard]] std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] std::ptrdiff_t lines() const { return std::ranges::count(text(), '\n'); }

  std::string folder_;
  std::string path_;
};

wire::LogHeader header() {
  wire::LogHeader header;
  header.policy = "edge";
  header.scheduler.endpoints.resize(1);
  return header;
}

constexpr TimePoint kStart{};

TEST_F(RecorderTest, TheFileIsForItsUserAloneAndReplacesAnOldOne) {
  std::ofstream(path_) << "something old\n";
  std::filesystem::permissions(path_, std::filesystem::perms::all);
  const auto made = recorder(path_);
  EXPECT_EQ(text(), "");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RecorderTest, LinesAreWrittenAtTheEndOfAQueryAndAtTheOrderlyEnd) {
  const auto made = recorder(path_);
  made->start(header());
  EXPECT_EQ(lines(), 1);
  EXPECT_NE(text().find(R"("program":"1.2.3")"), std::string::npos);
  made->step(kStart, TimerFired{.timer = 1}, {});
  EXPECT_EQ(lines(), 1);
  const std::vector<Command> commands{FinishQuery{QueryId(1), Outcome::kAnswered}};
  made->step(kStart, TimerFired{.timer = 2}, commands);
  EXPECT_EQ(lines(), 3);
  made->forget(RunRecord{});
  EXPECT_EQ(lines(), 3);
  made->finish();
  EXPECT_EQ(lines(), 5);
  EXPECT_EQ(made->trouble(), "");
}

TEST_F(RecorderTest, NoLineIsKeptForLongOrWithTooManyOthers) {
  const auto made = recorder(path_);
  made->start(header());
  made->step(kStart + std::chrono::milliseconds(900), TimerFired{.timer = 1}, {});
  EXPECT_EQ(lines(), 1);
  made->step(kStart + std::chrono::milliseconds(1000), TimerFired{.timer = 1}, {});
  EXPECT_EQ(lines(), 3);
  for (int i = 0; i < 1000; ++i) {
    made->step(kStart + std::chrono::milliseconds(1100), TimerFired{.timer = 1}, {});
  }
  EXPECT_GT(lines(), 500);
}

TEST_F(RecorderTest, AFullDiskCutsTheLogToWholeLinesAndTheLastSaysWhy) {
  for (const std::size_t limit : {4096U, 4097U, 5000U, 5033U}) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit low{limit, before.rlim_max};
    const auto made = recorder(path_);
    made->start(header());
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
    for (int i = 0; i < 200; ++i) made->step(kStart, TimerFired{.timer = 1}, {});
    made->finish();
    made->step(kStart, TimerFired{.timer = 1}, {});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);

    EXPECT_NE(made->trouble().find("too large"), std::string::npos) << made->trouble();
    const std::string log = text();
    EXPECT_LE(log.size(), limit);
    ASSERT_TRUE(log.ends_with('\n'));
    const std::size_t last = log.rfind('\n', log.size() - 2) + 1;
    EXPECT_TRUE(log.substr(last).starts_with(R"({"cut":{"reason":"File too large"})"));
    EXPECT_GT(lines(), 20);
    std::string expected;
    wire::EventLogWriter(expected, static_cast<std::size_t>(lines()) - 1).cut("File too large");
    EXPECT_EQ(log.substr(last), expected);
  }
}

TEST_F(RecorderTest, WhereNothingCanBeWrittenTheRunGoesOn) {
  const auto made = recorder("/dev/full");
  made->start(header());
  made->step(kStart, TimerFired{.timer = 1}, {});
  made->finish();
  EXPECT_EQ(made->trouble(),
            "The event log '/dev/full' could not be written on: No space left on device. It is cut "
            "there; the run is not affected.");
}

TEST_F(RecorderTest, AFileThatCannotBeMadeIsRefusedAtOnce) {
  const auto made = Recorder::create(folder_ + "/no/such/folder", "1");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalidInput);
  EXPECT_NE(made.error().message.find("No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace hf
