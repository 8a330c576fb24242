#include "runtime/runtime_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>

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

}  // namespace

Result<std::string> runtime_directory(const Environment& env) {
  const auto base = env("XDG_RUNTIME_DIR");
  const std::string directory =
      base && !base->empty()
          ? *base + "/hybridflow"
          : fmt::format("{}/hybridflow-{}", env("TMPDIR").value_or("/tmp"), ::getuid());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Code::kUnavailable, fmt::format("The folder '{}' for sockets cannot be made: {}. "
                                                "Set XDG_RUNTIME_DIR to a folder of yours.",
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

}  // namespace hf
