// Processes that a measurement starts: they end with it, however it ends, and what they cost can be
// read.
//
// Thread safety: none; start them from a process with one thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "load/socket.h"

namespace hf::load {

struct ProgramOptions {
  std::vector<std::string> arguments;                            // The first is the program's path.
  std::vector<std::pair<std::string, std::string>> environment;  // Added to this process's.
  std::string log_file;                                          // Standard error goes there.
};

class Process {
 public:
  Process() = default;
  // Runs `body`, which must not return, in a copy of this process.
  static Result<Process> fork(const std::function<void()>& body);
  // Runs a program; its standard output can be read by `read_line`.
  static Result<Process> start(const ProgramOptions& options);

  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        output_(std::move(other.output_)),
        read_(std::move(other.read_)) {}
  Process& operator=(Process&& other) noexcept;
  // Asks the process to end, kills it if it has not after some seconds, and waits for its end.
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool has_ended();
  // The next line that the process prints; none if it ends first or `until` comes.
  std::optional<std::string> read_line(TimePoint until);

 private:
  bool reap(int options);

  pid_t pid_ = -1;
  File output_;
  std::string read_;
};

// Processor time that a process has used so far, all its threads together; none if it is gone.
std::optional<Duration> cpu_time(pid_t pid);
// Memory that is resident now; none if the process is gone.
std::optional<std::uint64_t> resident_bytes(pid_t pid);

// A folder of its own that goes with the object.
class TempDirectory {
 public:
  static Result<TempDirectory> create();
  TempDirectory(TempDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDirectory& operator=(TempDirectory&& other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  ~TempDirectory();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TempDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace hf::load
