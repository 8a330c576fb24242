#include "runtime/runtime_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace hf {
namespace {

// Files are named PID-….
bool is_of_dead_process(const std::string& name) {
  int pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-' || pid <= 0)
    return false;
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

void sweep(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (is_of_dead_process(entry.path().filename())) std::filesystem::remove(entry.path(), ignored);
  }
}

// Whether it is there, belongs to this user, and leaves room for names in the path of a socket.
bool is_usable(const std::string& base) {
  constexpr std::size_t kPathBytesMax = 107;
  constexpr std::string_view kLongestRest = "/hybridflow/4194304-.99.sock";
  constexpr std::size_t kNameBytesMax = 64;  // Of an endpoint.
  struct stat status{};
  return base.starts_with('/') && ::stat(base.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::getuid() &&
         base.size() + kLongestRest.size() + kNameBytesMax <= kPathBytesMax;
}

// The folder as a private one of this user, made if it is not there.
Result<std::string> make(std::string directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Code::kUnavailable, fmt::format("The folder '{}' for sockets cannot be made: {}.",
                                                directory, std::strerror(errno)));
  }
  struct stat status{};
  if (::lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != ::getuid() || (status.st_mode & 0077U) != 0) {
    return fail(
        Code::kUnavailable,
        fmt::format("'{}' is not a private folder of yours; remove it or set XDG_RUNTIME_DIR.",
                    directory));
  }
  sweep(directory);
  return directory;
}

}  // namespace

Result<std::string> runtime_directory(const Environment& env) {
  const auto base = env("XDG_RUNTIME_DIR");
  return make(base && is_usable(*base) ? *base + "/hybridflow"
                                       : fmt::format("/tmp/hybridflow-{}", ::getuid()));
}

}  // namespace hf
