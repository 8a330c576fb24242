// Goal: processes that a measurement starts can be heard, weighed and stopped, and end with it.
// Method: small programs of the system; the end of a process is awaited by its descriptor.
#include "load/process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "script.h"

namespace hf::load {
namespace {

Process shell(const std::string& script, const std::string& log = "/dev/null") {
  auto process = Process::start({.arguments = {"/bin/sh", "-c", script},
                                 .environment = {{"GREETING", "hello"}},
                                 .log_file = log});
  EXPECT_TRUE(process);
  return *std::move(process);
}

// Whether the process ends before long.
bool ends(pid_t pid) {
  const File descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return !descriptor || wait_for(descriptor, POLLIN);
}

TEST(Process, IsHeardLineByLine) {
  Process process = shell("echo $GREETING; echo two; printf rest");
  EXPECT_EQ(process.read_line(now() + kPatience), "hello");
  EXPECT_EQ(process.read_line(now() + kPatience), "two");
  EXPECT_EQ(process.read_line(now() + kPatience), std::nullopt);
}

TEST(Process, ThatSaysNothingIsNotAwaitedForLong) {
  Process process = shell("exec tail -f /dev/null");
  EXPECT_EQ(process.read_line(now()), std::nullopt);
  EXPECT_FALSE(process.has_ended());
}

TEST(Process, WritesItsErrorsToAFile) {
  auto directory = TempDirectory::create();
  ASSERT_TRUE(directory);
  const auto log = directory->path() / "log";
  Process process = shell("echo wrong >&2", log.string());
  EXPECT_EQ(process.read_line(now() + kPatience), std::nullopt);
  EXPECT_TRUE(ends(process.pid()));
  std::ifstream file(log);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "wrong\n");
}

TEST(Process, ThatDoesNotExistEndsAtOnce) {
  auto process = Process::start(
      {.arguments = {"/no/such/program"}, .environment = {}, .log_file = "/dev/null"});
  ASSERT_TRUE(process);
  EXPECT_EQ(process->read_line(now() + kPatience), std::nullopt);
  EXPECT_TRUE(ends(process->pid()));
  EXPECT_TRUE(process->has_ended());
}

TEST(Process, IsStoppedWithItsObjectEvenIfItRefuses) {
  pid_t polite = 0;
  pid_t stubborn = 0;
  {
    const Process one = shell("exec tail -f /dev/null");
    Process two = shell("trap '' TERM; echo ready; while :; do read line < /dev/zero; done");
    EXPECT_EQ(two.read_line(now() + kPatience), "ready");
    polite = one.pid();
    stubborn = two.pid();
  }
  EXPECT_EQ(::kill(polite, 0), -1);
  EXPECT_EQ(::kill(stubborn, 0), -1);
}

TEST(Process, EndsWithItsParentHoweverThatEnds) {
  std::array<int, 2> ends_of_pipe{};
  ASSERT_EQ(::pipe(ends_of_pipe.data()), 0);
  const File read(ends_of_pipe[0]);
  const File write(ends_of_pipe[1]);
  const auto parent = Process::fork([&] {
    const auto child = Process::fork([] { ::pause(); });
    const pid_t pid = child ? child->pid() : -1;
    EXPECT_EQ(::write(write.number(), &pid, sizeof pid), ssize_t{sizeof pid});
    ::pause();
  });
  ASSERT_TRUE(parent);
  pid_t child = 0;
  ASSERT_TRUE(wait_for(read, POLLIN));
  ASSERT_EQ(::read(read.number(), &child, sizeof child), ssize_t{sizeof child});
  ASSERT_GT(child, 0);
  ::kill(parent->pid(), SIGKILL);
  EXPECT_TRUE(ends(child));
}

TEST(Process, IsWeighed) {
  Process process = shell(
      "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; "
      "exec tail -f /dev/null");
  EXPECT_EQ(process.read_line(now() + kPatience), "done");
  EXPECT_GT(cpu_time(process.pid()).value_or(Duration{}), std::chrono::milliseconds(1));
  EXPECT_GT(resident_bytes(process.pid()).value_or(0), 100'000U);
}

TEST(Process, ThatIsGoneWeighsNothing) {
  pid_t pid = 0;
  {
    pid = shell("exit 0").pid();
  }
  EXPECT_EQ(cpu_time(pid), std::nullopt);
  EXPECT_EQ(resident_bytes(pid), std::nullopt);
}

TEST(TempDirectory, GoesWithItsContents) {
  std::filesystem::path path;
  {
    auto directory = TempDirectory::create();
    ASSERT_TRUE(directory);
    path = directory->path();
    std::ofstream(path / "file") << "text";
    EXPECT_TRUE(std::filesystem::exists(path / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace hf::load
