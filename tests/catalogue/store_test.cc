// Goal: a name or a path leads to a usable file or to a sentence that says what to do.
// Method: a temporary folder in each of the states a file can be in.
#include "catalogue/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "catalogue/layout.h"
#include "fake_index.h"

namespace hf {
namespace {

using ::testing::HasSubstr;

std::string directory_for(std::map<std::string, std::string> variables) {
  const auto directory = model_directory([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  return directory ? directory->string() : directory.error().message;
}

TEST(ModelDirectory, FollowsTheEnvironmentFromSpecialToGeneral) {
  EXPECT_EQ(directory_for({{"HYBRIDFLOW_MODELS", "/m"}, {"HYBRIDFLOW_CACHE", "/c"}}), "/m");
  EXPECT_EQ(directory_for({{"HYBRIDFLOW_CACHE", "/c"}, {"XDG_CACHE_HOME", "/x"}}), "/c/models");
  EXPECT_EQ(directory_for({{"XDG_CACHE_HOME", "/x"}, {"HOME", "/h"}}), "/x/hybridflow/models");
  EXPECT_EQ(directory_for({{"HOME", "/h"}, {"HYBRIDFLOW_MODELS", ""}}),
            "/h/.cache/hybridflow/models");
  EXPECT_THAT(directory_for({}), HasSubstr("no place for models"));
}

class Store : public ::testing::Test {
 protected:
  void SetUp() override { test::fs::create_directories(directory_); }

  std::string resolve(std::string_view name) {
    const auto path = resolve_model({&index_.model(), 1}, directory_, name);
    return path ? path->string() : path.error().message;
  }

  test::FakeIndex index_;
  test::fs::path directory_ = index_.models();
  test::fs::path file_ = model_path(directory_, index_.model());
};

TEST_F(Store, ResolvesAPresentModelByName) {
  test::write_file(file_, index_.content());
  EXPECT_EQ(resolve("tiny"), file_.string());
}

TEST_F(Store, SaysHowToGetAMissingOrDamagedModel) {
  EXPECT_EQ(resolve("tiny"), "model tiny is not on this machine; run: hybridflow models pull tiny");
  test::write_file(file_, index_.content().substr(1));
  EXPECT_THAT(resolve("tiny"), HasSubstr("run: hybridflow models pull tiny"));
  test::write_file(file_, std::string(index_.content().size(), 'x'));
  EXPECT_THAT(resolve("tiny"), HasSubstr("damaged"));
}

TEST_F(Store, ResolvesPathsToGgufFilesOnly) {
  const test::fs::path own = directory_ / "own.gguf";
  EXPECT_THAT(resolve(own.string()), HasSubstr("there is no model file at"));
  test::write_file(own, "GG");
  EXPECT_THAT(resolve(own.string()), HasSubstr("not a whole GGUF file"));
  test::write_file(own, test::kEmptyGguf);
  EXPECT_EQ(resolve(own.string()), own.string());
  EXPECT_THAT(resolve(directory_.string()), HasSubstr("there is no model file at"));
  EXPECT_THAT(resolve("nobody"), HasSubstr("the known ones are tiny"));
}

TEST_F(Store, VerifyFindsASingleWrongBit) {
  EXPECT_EQ(verified_state(directory_, index_.model()), ModelState::kMissing);
  test::write_file(file_, index_.content());
  EXPECT_EQ(verified_state(directory_, index_.model()), ModelState::kOk);
  std::string bent = index_.content();
  bent.back() = static_cast<char>(bent.back() ^ 1);
  test::write_file(file_, bent);
  EXPECT_EQ(quick_state(directory_, index_.model()), ModelState::kOk);
  EXPECT_EQ(verified_state(directory_, index_.model()), ModelState::kDamaged);
}

TEST_F(Store, AFolderInTheModelsPlaceIsDamage) {
  test::fs::create_directories(file_);
  EXPECT_EQ(quick_state(directory_, index_.model()), ModelState::kDamaged);
}

TEST_F(Store, RemoveDeletesTheModelAndWhatAPullLeft) {
  const Layout layout(directory_, index_.model());
  test::write_file(layout.file, "x");
  test::write_file(layout.partial, "x");
  test::write_file(layout.parts / "p.whl", "x");
  test::write_file(directory_ / "other.gguf", "x");
  EXPECT_EQ(remove_model(directory_, index_.model()), true);
  EXPECT_FALSE(test::fs::exists(layout.file) || test::fs::exists(layout.partial) ||
               test::fs::exists(layout.parts));
  EXPECT_TRUE(test::fs::exists(directory_ / "other.gguf"));
  EXPECT_EQ(remove_model(directory_, index_.model()), false);
  EXPECT_EQ(remove_model(directory_ / "nowhere", index_.model()), false);
}

TEST_F(Store, APlaceThatCannotBeWrittenIsNamed) {
  const auto lock = FileLock::create("/proc/nobody-may-write-here/.lock");
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().message, HasSubstr("/proc/nobody-may-write-here cannot be written"));
  EXPECT_THAT(lock.error().message, HasSubstr("set HYBRIDFLOW_MODELS"));
}

TEST_F(Store, RemoveLeavesARunningPullAlone) {
  const Layout layout(directory_, index_.model());
  test::write_file(layout.partial, "x");
  const auto held = FileLock::create(layout.lock);
  ASSERT_TRUE(held && held->try_lock());
  const auto removed = remove_model(directory_, index_.model());
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().message, HasSubstr("being pulled"));
  EXPECT_TRUE(test::fs::exists(layout.partial));
}

}  // namespace
}  // namespace hf
