// Goal: a living owner is never taken for dead, a dead one is found out. Method: real processes,
// and this process under names that are almost its own.
#include "store/owner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hf::store {
namespace {

TEST(Owner, ThisProcessIsAlive) {
  const auto self = current_owner();
  ASSERT_TRUE(self);
  EXPECT_EQ(self->pid, ::getpid());
  EXPECT_GT(self->born, 0);
  EXPECT_EQ(*current_owner(), *self);
  EXPECT_EQ(*state_of(*self), OwnerState::kAlive);
}

TEST(Owner, ANumberThatWasGivenAgainIsAnotherProcess) {
  Owner before = *current_owner();
  --before.born;
  EXPECT_EQ(*state_of(before), OwnerState::kDead);
}

TEST(Owner, ABootThatIsOverEndedAllItsProcesses) {
  Owner before = *current_owner();
  before.boot = "another";
  before.pid_space = "another";
  EXPECT_EQ(*state_of(before), OwnerState::kDead);
}

TEST(Owner, AnotherContainersProcessCannotBeJudged) {
  Owner other = *current_owner();
  other.pid_space = "pid:[1]";
  EXPECT_EQ(*state_of(other), OwnerState::kElsewhere);
}

TEST(Owner, AChildIsAliveUntilItIsKilledAndDeadEvenBeforeItIsAwaited) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Owner self = *current_owner();
    const bool is_written = ::write(ends[1], &self.born, sizeof self.born) == sizeof self.born;
    while (is_written) ::pause();
    ::_exit(1);
  }
  Owner owner = *current_owner();
  owner.pid = child;
  ASSERT_EQ(::read(ends[0], &owner.born, sizeof owner.born), ssize_t{sizeof owner.born});
  EXPECT_EQ(*state_of(owner), OwnerState::kAlive);

  ::kill(child, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(*state_of(owner), OwnerState::kDead) << "a zombie";
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(*state_of(owner), OwnerState::kDead);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace hf::store
