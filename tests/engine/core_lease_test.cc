// Goal: engines together never hold more cores than there are, each gets its fair share, and a
// dead engine's cores come back.
// Method: several lease sets in one process, which exclude each other as processes do, and a child
// process that is killed.
#include "engine/core_lease.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "harness.h"

namespace hf::engine {
namespace {

const auto kPatient = [] { return false; };
const auto kImpatient = [] { return true; };

class CoreLeaseTest : public testing::Test {
 protected:
  CoreLease lease(std::size_t cores, std::size_t most) {
    return CoreLease::open({.directory = directory_.path(), .cores = cores, .most = most}).value();
  }

  TemporaryDirectory directory_;
};

TEST_F(CoreLeaseTest, AloneAnEngineGetsAllItMayUse) {
  CoreLease all = lease(4, 4);
  EXPECT_EQ(all.adjust(kPatient), 4U);
  all.release();
  EXPECT_EQ(all.held(), 0U);
  EXPECT_EQ(lease(4, 3).adjust(kPatient), 3U);
}

TEST_F(CoreLeaseTest, TwoShareAndTheFirstGivesBackAtItsNextStep) {
  CoreLease a = lease(4, 4);
  CoreLease b = lease(4, 4);
  EXPECT_EQ(a.adjust(kPatient), 4U);
  EXPECT_EQ(b.adjust(kImpatient), 0U);  // Nothing is free yet, but b counts as busy from now on.
  EXPECT_EQ(a.adjust(kPatient), 2U);
  EXPECT_EQ(b.adjust(kPatient), 2U);
  EXPECT_EQ(a.adjust(kPatient), 2U);
}

TEST_F(CoreLeaseTest, WhenOneGoesIdleTheOtherTakesMore) {
  CoreLease a = lease(2, 2);
  CoreLease b = lease(2, 2);
  static_cast<void>(a.adjust(kPatient));
  static_cast<void>(b.adjust(kImpatient));
  EXPECT_EQ(a.adjust(kPatient), 1U);
  EXPECT_EQ(b.adjust(kPatient), 1U);
  a.release();
  EXPECT_EQ(b.adjust(kPatient), 2U);
}

TEST_F(CoreLeaseTest, RemainderGoesToTheFirst) {
  CoreLease a = lease(3, 3);
  CoreLease b = lease(3, 3);
  static_cast<void>(a.adjust(kPatient));
  static_cast<void>(b.adjust(kImpatient));
  EXPECT_EQ(a.adjust(kPatient), 2U);
  EXPECT_EQ(b.adjust(kPatient), 1U);
}

TEST_F(CoreLeaseTest, DestructionGivesEverythingBack) {
  {
    EXPECT_EQ(lease(2, 2).adjust(kPatient), 2U);
  }
  CoreLease next = lease(2, 2);
  EXPECT_EQ(next.adjust(kImpatient), 2U);
}

TEST_F(CoreLeaseTest, KilledProcessLosesItsCores) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    CoreLease held = lease(2, 2);
    const char byte = static_cast<char>(held.adjust(kPatient));
    static_cast<void>(!::write(ready[1], &byte, 1));
    ::pause();
    ::_exit(0);
  }
  char count = 0;
  ASSERT_EQ(::read(ready[0], &count, 1), 1);
  EXPECT_EQ(count, 2);
  CoreLease own = lease(2, 2);
  EXPECT_EQ(own.adjust(kImpatient), 0U);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(own.adjust(kPatient), 2U);
  ::close(ready[0]);
  ::close(ready[1]);
}

// Three busy engines on two cores: each gets its turns, and never are three at work.
TEST_F(CoreLeaseTest, MoreEnginesThanCoresTakeTurns) {
  constexpr int kSteps = 30;
  std::atomic<int> at_work{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  std::vector<std::thread> engines;
  for (int i = 0; i < 3; ++i) {
    engines.emplace_back([&] {
      CoreLease own = lease(2, 2);
      for (int step = 0; step < kSteps; ++step) {
        const auto cores = static_cast<int>(own.adjust(kPatient));
        const int now = at_work.fetch_add(cores) + cores;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        at_work.fetch_sub(cores);
      }
      ++done;
    });
  }
  for (std::thread& engine : engines) engine.join();
  EXPECT_EQ(done, 3);
  EXPECT_LE(most, 2);
}

TEST_F(CoreLeaseTest, DirectoryThatIsASymbolicLinkIsRefused) {
  const std::string target = directory_.path() + "/elsewhere";
  std::filesystem::create_directory(target);
  std::filesystem::create_symlink(target, directory_.path() + "/hybridflow");
  const ScopedVariable runtime("XDG_RUNTIME_DIR", directory_.path());
  const auto refused = core_directory();
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("0700"), std::string::npos);
}

TEST_F(CoreLeaseTest, DirectoryOpenToOthersIsRefused) {
  const ScopedVariable runtime("XDG_RUNTIME_DIR", directory_.path());
  const std::string made = core_directory().value();
  struct stat info{};
  ASSERT_EQ(::stat(made.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_EQ(::chmod(made.c_str(), 0777), 0);
  EXPECT_FALSE(core_directory().has_value());
}

TEST_F(CoreLeaseTest, LockFilesThatCannotBeOpenedAreAnError) {
  EXPECT_FALSE(CoreLease::open({.directory = directory_.path() + "/none", .cores = 1, .most = 1}));
}

}  // namespace
}  // namespace hf::engine
