#include "load/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

#include "load/socket.h"

namespace hf::load {
namespace {

constexpr Duration kEndTime = std::chrono::seconds(3);
constexpr int kNotStarted = 127;

int milliseconds_until(TimePoint until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// In the child: ends with its parent, and takes signals as any program does.
void belong_to(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNotStarted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_DFL);
}

[[noreturn]] void become(const ProgramOptions& options, const File& output) {
  for (const auto& [name, value] : options.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : options.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY);
  const int log = ::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output.number(), STDOUT_FILENO);
  if (log >= 0) ::dup2(log, STDERR_FILENO);
  ::execv(arguments[0], arguments.data());
  ::_exit(kNotStarted);
}

}  // namespace

Result<Process> Process::fork(const std::function<void()>& body) {
  Process process;
  const pid_t parent = ::getpid();
  process.pid_ = ::fork();
  if (process.pid_ < 0) return system_failure("Cannot start a process");
  if (process.pid_ == 0) {
    belong_to(parent);
    body();
    ::_exit(0);
  }
  return process;
}

Result<Process> Process::start(const ProgramOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("Cannot make a pipe");
  File read(ends[0]);
  File write(ends[1]);
  HF_TRY(Process process, fork([&] { become(options, write); }));
  process.output_ = std::move(read);
  return process;
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(read_, other.read_);
  return *this;
}

Process::~Process() {
  if (has_ended()) return;
  ::kill(pid_, SIGTERM);
  for (const TimePoint end = now() + kEndTime; now() < end && !reap(WNOHANG);) {
    ::poll(nullptr, 0, 2);
  }
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  reap(0);
}

bool Process::has_ended() {
  return pid_ < 0 || reap(WNOHANG);
}

bool Process::reap(int options) {
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, nullptr, options);
  } while (got < 0 && errno == EINTR);
  if (got != 0) pid_ = -1;
  return got != 0;
}

std::optional<std::string> Process::read_line(TimePoint until) {
  for (;;) {
    if (const auto end = read_.find('\n'); end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    pollfd wanted{.fd = output_.number(), .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, milliseconds_until(until)) <= 0) return {};
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(output_.number(), buffer.data(), buffer.size());
    if (got <= 0) return {};
    read_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::optional<Duration> cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

std::optional<std::uint64_t> resident_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  if (!(file >> all >> resident)) return {};
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<TempDirectory> TempDirectory::create() {
  std::error_code error;
  std::filesystem::path base = std::filesystem::temp_directory_path(error);
  if (error) base = "/tmp";
  std::string path = base / "hybridflow-bench-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return system_failure(fmt::format("Cannot make a folder in {}", base.string()));
  }
  return TempDirectory(path);
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace hf::load
