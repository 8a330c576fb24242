#include "store/owner.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace hf::store {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Stat {
  char state = '?';
  std::int64_t threads = 0;
  std::int64_t born = 0;
};

// Reads /proc/PID/stat. The second field is the program's name, in parentheses and free to contain
// any character, so that counting starts after the last parenthesis.
std::optional<Stat> stat_of(std::int64_t pid) {
  const std::string line = read_file(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream in(line.substr(name_end + 1));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(in), {}};
  constexpr std::size_t kState = 0;
  constexpr std::size_t kThreads = 17;
  constexpr std::size_t kBorn = 19;
  if (fields.size() <= kBorn) return std::nullopt;
  return Stat{fields[kState].front(), std::strtoll(fields[kThreads].c_str(), nullptr, 10),
              std::strtoll(fields[kBorn].c_str(), nullptr, 10)};
}

}  // namespace

Result<Owner> current_owner() {
  Owner owner;
  owner.pid = ::getpid();
  const auto stat = stat_of(owner.pid);
  owner.boot = read_file("/proc/sys/kernel/random/boot_id");
  while (!owner.boot.empty() && owner.boot.back() == '\n') owner.boot.pop_back();
  std::error_code error;
  owner.pid_space = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  if (!stat || owner.boot.empty() || error) {
    return fail(Code::kUnavailable,
                "this process cannot be told from others because /proc is not readable; mount it");
  }
  owner.born = stat->born;
  return owner;
}

Result<OwnerState> state_of(const Owner& owner) {
  HF_TRY(const Owner self, current_owner());
  if (owner.boot != self.boot) return OwnerState::kDead;
  if (owner.pid_space != self.pid_space) return OwnerState::kElsewhere;
  const auto stat = stat_of(owner.pid);
  if (!stat) {
    // Some systems hide the processes of other users; the signal 0 finds them all the same.
    const bool is_gone = ::kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH;
    return is_gone ? OwnerState::kDead : OwnerState::kAlive;
  }
  if (stat->born != owner.born) return OwnerState::kDead;
  // Killed but not yet awaited by its parent. With threads left only its first one has ended.
  const bool has_ended = stat->state == 'X' || (stat->state == 'Z' && stat->threads <= 1);
  return has_ended ? OwnerState::kDead : OwnerState::kAlive;
}

}  // namespace hf::store
