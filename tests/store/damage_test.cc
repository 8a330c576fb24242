// Goal: a store that cannot be trusted or cannot be written refuses to spend and says why; it never
// gives a wrong answer. Method: real files with every kind of damage, limits of the kernel on what
// a child may write, and each sampled byte of a sound file flipped.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "base/rng.h"
#include "scratch.h"

namespace hf::store {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void execute_at(const fs::path& path, const char* sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

std::string refusal_of(const fs::path& path) {
  const auto store = try_open(path);
  if (store) return "opened";
  EXPECT_EQ(store.error().code, Code::kUnavailable);
  return store.error().message;
}

// A sound store with some of everything.
void make_sound(const fs::path& path) {
  const auto store = open_store(path, dead_owner());
  ASSERT_TRUE(store->define({"process", std::nullopt, limits(1'000'000, 1'000'000)}));
  ASSERT_TRUE(store->define({"key", "process", limits(800'000)}));
  const Lease lease = take_all(*store, "key", of(300'000, 200'000));
  ASSERT_TRUE(store->started(lease.id, CallId(1), of(10'000, 4'000)));
  ASSERT_TRUE(store->started(lease.id, CallId(2), of(20'000, 5'000)));
  ASSERT_TRUE(store->settled(lease.id, CallId(1), of(7'000, 3'000)));
  ASSERT_TRUE(store->flush());
}

// Runs `body` in a child, which may give up what it could not have back. True is success.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Permissions do not bind root.
bool become_nobody() {
  constexpr unsigned kNobody = 65534;
  return ::geteuid() != 0 || (::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
}

bool limit_file_size(rlim_t bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

TEST(Damage, AForeignDatabaseIsRefusedAndLeftAsItIs) {
  const Scratch scratch;
  execute_at(scratch.ledger(), "CREATE TABLE photos (id INTEGER)");
  const std::string before = read_file(scratch.ledger());
  EXPECT_NE(refusal_of(scratch.ledger()).find("another program"), std::string::npos);
  EXPECT_EQ(read_file(scratch.ledger()), before);
}

TEST(Damage, AFileThatIsNoDatabaseIsRefusedAndLeftAsItIs) {
  const Scratch scratch;
  const std::string text(5000, 'x');
  write_file(scratch.ledger(), text);
  EXPECT_NE(refusal_of(scratch.ledger()).find("no ledger at all"), std::string::npos);
  EXPECT_EQ(read_file(scratch.ledger()), text);
}

TEST(Damage, AStoreOfANewerVersionIsRefused) {
  const Scratch scratch;
  make_sound(scratch.ledger());
  execute_at(scratch.ledger(), "PRAGMA user_version = 3");
  EXPECT_NE(refusal_of(scratch.ledger()).find("has version 3, this program knows 2"),
            std::string::npos);
}

TEST(Damage, AFolderInItsPlaceIsRefused) {
  const Scratch scratch;
  EXPECT_NE(refusal_of(scratch.folder()).find("is no file"), std::string::npos);
}

TEST(Damage, FoldersThatAreMissingAreMadeForTheOwnerOnly) {
  const Scratch scratch;
  open_store(scratch.folder() / "a" / "b" / "ledger.db");
  struct stat info{};
  ASSERT_EQ(::stat((scratch.folder() / "a" / "b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST(Damage, APlaceThatCannotBeMadeIsRefused) {
  EXPECT_NE(refusal_of("/proc/nowhere/ledger.db").find("cannot be created"), std::string::npos);
}

TEST(Damage, AReadOnlyFileOrFolderIsRefused) {
  for (const bool is_folder : {false, true}) {
    const Scratch scratch;
    make_sound(scratch.ledger());
    fs::permissions(scratch.ledger(), fs::perms(is_folder ? 0666 : 0444));
    fs::permissions(scratch.folder(), fs::perms(is_folder ? 0555 : 0777));
    EXPECT_TRUE(in_child([&] {
      if (!become_nobody()) return false;
      const auto store = try_open(scratch.ledger());
      return !store && store.error().code == Code::kUnavailable;
    })) << (is_folder ? "folder" : "file");
    fs::permissions(scratch.folder(), fs::perms(0700));
  }
}

TEST(Damage, MoneyThatWasAlteredIsFoundWhereverItStands) {
  for (const char* change :
       {"UPDATE scope SET usd_spent = usd_spent - 1 WHERE name = 'key'",
        "UPDATE scope SET usd_limit = NULL WHERE name = 'key'",
        "UPDATE scope SET parent = NULL WHERE name = 'key'", "UPDATE scope SET tokens_leased = 0",
        "UPDATE lease SET usd_open = 0", "UPDATE lease SET boot = 'x'",
        "UPDATE lease SET usd_left = usd_left + 5", "DELETE FROM lease", "DELETE FROM call",
        "UPDATE call SET usd = 1"}) {
    const Scratch scratch;
    make_sound(scratch.ledger());
    execute_at(scratch.ledger(), change);
    EXPECT_NE(refusal_of(scratch.ledger()).find("damaged"), std::string::npos) << change;
  }
}

TEST(Damage, MoneyThatIsAlteredUnderAnOpenStoreIsFoundBeforeAnythingIsGiven) {
  const Scratch scratch;
  make_sound(scratch.ledger());
  const auto store = open_store(scratch.ledger());
  execute_at(scratch.ledger(), "UPDATE scope SET usd_spent = 0 WHERE name = 'process'");
  const auto taken = store->take("key", of(1), of(1));
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().message.find("damaged"), std::string::npos);
  EXPECT_FALSE(store->reconcile(Resolve::kDead));
}

TEST(Damage, AFlippedBitAnywhereIsRefusedOrChangesNothing) {
  const Scratch scratch;
  make_sound(scratch.ledger());
  const auto answer = [&](const fs::path& path) -> std::string {
    const auto store = try_open(path);
    if (!store) return "refused";
    const auto left = (*store)->left("key");
    const auto report = (*store)->report();
    if (!left || !report) return "refused";
    std::string text = fmt::format("{} {};", left->usd.count(), left->cloud_tokens.count());
    for (const ScopeRow& row : report->scopes) {
      text += fmt::format("{} {} {};", row.name, row.spent.usd.count(), row.leased.usd.count());
    }
    for (const LeaseReport& each : report->leases) {
      text += fmt::format("{} {} {}", each.lease.left.usd.count(), each.lease.open.usd.count(),
                          each.calls.size());
    }
    return text;
  };
  const std::string sound = read_file(scratch.ledger());
  const std::string expected = answer(scratch.ledger());
  ASSERT_NE(expected, "refused");

  Rng rng(4);
  int refused = 0;
  const int flips = repetitions(600);
  for (int i = 0; i < flips; ++i) {
    const Scratch copy;
    std::string bytes = sound;
    // A third of the flips into the headers of the file and of its tables.
    const std::size_t offset = rng.below(i % 3 == 0 ? 200 : bytes.size());
    bytes[offset] = static_cast<char>(bytes[offset] ^ (1 << rng.below(8)));
    write_file(copy.ledger(), bytes);
    const std::string seen = answer(copy.ledger());
    EXPECT_TRUE(seen == "refused" || seen == expected) << "at " << offset << ": " << seen;
    refused += seen == "refused";
  }
  EXPECT_GT(refused, flips / 20) << "most of the file is empty, but not all of it";
}

TEST(Damage, ATruncatedFileIsRefused) {
  for (const std::size_t size : {50U, 4096U, 9000U}) {
    const Scratch scratch;
    make_sound(scratch.ledger());
    write_file(scratch.ledger(), read_file(scratch.ledger()).substr(0, size));
    EXPECT_NE(refusal_of(scratch.ledger()), "opened") << size;
  }
}

TEST(Damage, ADiskWithoutSpaceForTheStoreIsRefused) {
  const Scratch scratch;
  EXPECT_TRUE(in_child([&] { return limit_file_size(1024) && !try_open(scratch.ledger()); }));
}

TEST(Damage, ADiskThatFillsUpStopsSpendingAndLetsItGoOnWhenThereIsSpace) {
  const Scratch scratch;
  EXPECT_TRUE(in_child([&] {
    const auto store = open_store(scratch.ledger());
    if (!store->define({"process", std::nullopt, limits(1'000'000)})) return false;
    const Lease lease = take_all(*store, "process", of(100'000));
    if (!store->started(lease.id, CallId(1), of(50'000)) || !store->flush()) return false;

    // No byte more than there is.
    if (!limit_file_size(fs::file_size(scratch.ledger().string() + "-wal"))) return false;
    if (!store->settled(lease.id, CallId(1), of(40'000))) return false;
    if (store->flush() || store->started(lease.id, CallId(2), of(1))) return false;
    if (store->take("process", of(1), of(1)) || store->define({"x", std::nullopt, {}})) {
      return false;
    }

    if (!limit_file_size(RLIM_INFINITY)) return false;
    if (!store->started(lease.id, CallId(2), of(1)) || !store->give_back(lease.id)) return false;
    return scope_of(*store, "process").spent == of(40'001);
  }));
}

}  // namespace
}  // namespace hf::store
