#include "cli/db.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/ask.h"
#include "cli/history.h"
#include "store/run_store.h"
#include "store/schema.h"

namespace hf::cli {
namespace {

namespace fs = std::filesystem;

// One of the two files: each knows how it is checked, and what is in it, in words.
struct File {
  std::string_view name;
  fs::path path;
  Result<std::string> (*check)(const fs::path&);
};

Result<std::string> check_ledger_file(const fs::path& path) {
  HF_CHECK(expect_ledger(path));
  HF_TRY(store::Database ledger, store::open_ledger(path));  // Checks it whole.
  HF_TRY(const auto scopes, ledger.number("SELECT count(*) FROM scope"));
  HF_TRY(const auto leases, ledger.number("SELECT count(*) FROM lease"));
  HF_TRY(const auto keys, ledger.number("SELECT count(*) FROM key"));
  return fmt::format("{} scopes, {} leases, {} keys", scopes, leases, keys);
}

Result<std::string> check_history_file(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) == 0 && !error) {
    return fail(Code::kUnavailable,
                fmt::format("{} is no history but an empty file; check the path", path.string()));
  }
  HF_TRY(store::RunStore history, store::RunStore::open(path));
  HF_CHECK(history.check());
  HF_TRY(const auto runs, history.count());
  return fmt::format("{} runs", runs);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The one that was named, or both.
Result<std::vector<File>> files(const LedgerPlace& place) {
  HF_TRY(const fs::path ledger, ledger_path(place));
  if (!place.store.empty()) {
    HF_CHECK(expect_ledger(ledger));
    return std::vector<File>{{"ledger", ledger, &check_ledger_file}};
  }
  HF_TRY(const fs::path history,
         store::default_history_path([](const char* name) { return std::getenv(name); }));
  std::vector<File> all{{"ledger", ledger, &check_ledger_file},
                        {"history", history, &check_history_file}};
  if (!is_there(ledger) && !is_there(history)) {
    return fail(Code::kUnavailable,
                fmt::format("there is neither a ledger at {} nor a history at {}", ledger.string(),
                            history.string()));
  }
  return all;
}

Error trouble(const fs::path& path, std::string_view what) {
  return {Code::kUnavailable, fmt::format("{} {}: {}", path.string(), what, std::strerror(errno))};
}

// Makes what was written to a file or folder last.
Result<void> sync(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_synced = file >= 0 && ::fsync(file) == 0;
  const Error error = trouble(path, "cannot be brought to the disk");
  if (file >= 0) ::close(file);
  if (!is_synced) return std::unexpected(error);
  return {};
}

// One transaction reads all of `file`, so that the copy is as the file was at one moment; others
// may write meanwhile. REQUIRES: `file` is sound.
Result<std::string> copy_into(const File& file, const fs::path& copy) {
  {
    HF_TRY(store::Database database,
           store::Database::open(
               {.path = file.path, .name = file.name, .when_full = "no copy is made"}));
    HF_CHECK(database.run("VACUUM INTO ?", std::string_view(copy.native())));
  }
  HF_CHECK(sync(copy));
  HF_TRY(std::string content, file.check(copy));
  HF_CHECK(sync(copy));  // Checking opens it as it would be used, which switches its log on.
  return content;
}

// Makes an empty file for its owner only, if there is none yet.
Result<void> make(const fs::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return std::unexpected(trouble(path, "cannot be made"));
  ::close(file);
  return {};
}

// Whenever this is interrupted, `copy` is not there, empty, or whole.
Result<std::string> back_up(const File& file, const fs::path& copy) {
  HF_CHECK(file.check(file.path));
  const fs::path part = copy.string() + ".part";
  HF_CHECK(make(part));
  auto content = [&]() -> Result<std::string> {
    HF_TRY(std::string found, copy_into(file, part));
    HF_CHECK(make(copy));  // Claims the name, so that nothing is replaced.
    if (::rename(part.c_str(), copy.c_str()) == 0) return found;
    const Error error = trouble(copy, "cannot be made");
    ::unlink(copy.c_str());
    return std::unexpected(error);
  }();
  if (!content) ::unlink(part.c_str());
  return content;
}

Result<void> check(const LedgerPlace& place) {
  HF_TRY(const std::vector<File> all, files(place));
  std::optional<Error> damage;
  for (const File& file : all) {
    if (!is_there(file.path)) {
      fmt::print("{:<8} none at {}\n", file.name, file.path.string());
      continue;
    }
    const auto content = file.check(file.path);
    if (!content) {
      if (damage) complain_of(*damage);
      damage = content.error();
      continue;
    }
    fmt::print("{:<8} sound: {} with {}\n", file.name, file.path.string(), *content);
  }
  if (damage) return std::unexpected(*damage);
  return {};
}

Result<void> backup(const LedgerPlace& place, const fs::path& directory) {
  HF_TRY(const std::vector<File> all, files(place));
  std::error_code error;
  if (!fs::is_directory(directory, error) && ::mkdir(directory.c_str(), S_IRWXU) != 0) {
    return std::unexpected(trouble(directory, "cannot be made"));
  }
  const auto copy_of = [&](const File& file) {
    return directory / (std::string(file.name) + ".db");
  };
  for (const File& file : all) {
    if (!is_there(copy_of(file))) continue;
    return fail(Code::kUnavailable, fmt::format("{} is there already; give a directory without it",
                                                copy_of(file).string()));
  }
  for (const File& file : all) {
    if (!is_there(file.path)) {
      fmt::print("{:<8} none at {}\n", file.name, file.path.string());
      continue;
    }
    HF_TRY(const std::string content, back_up(file, copy_of(file)));
    fmt::print("{:<8} copied: {} with {}\n", file.name, copy_of(file).string(), content);
  }
  return sync(directory);
}

}  // namespace

int run_db(const DbOptions& options) {
  const auto done = options.action == DbAction::kCheck ? check(options.place)
                                                       : backup(options.place, options.directory);
  return done ? kAnswered : complain_of(done.error());
}

}  // namespace hf::cli
