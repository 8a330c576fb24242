#include "catalogue/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace hf {
namespace {

constexpr std::size_t kOutputMax = std::size_t{16} << 10U;
constexpr int kTickMs = 200;
constexpr int kNotFound = 127;

// What the child does between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* arguments, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNotFound);  // The parent died before prctl.
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execvp(arguments[0], arguments);
  ::_exit(kNotFound);
}

// Reads until the other end is closed, ticking meanwhile.
std::string read_tail(int descriptor, const std::function<void()>& tick) {
  std::string output;
  std::array<char, 4096> buffer{};
  while (true) {
    pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, kTickMs);
    tick();
    if (count <= 0) continue;  // Nothing yet, or a signal.
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return output;
    output.append(buffer.data(), static_cast<std::size_t>(got));
    if (output.size() > 2 * kOutputMax) output.erase(0, output.size() - kOutputMax);
  }
}

}  // namespace

Result<ProcessEnd> run_process(const std::vector<std::string>& command,
                               const std::function<void()>& tick) {
  const auto failed = [&](const char* what) {
    return fail(Code::kUnavailable, fmt::format("{} could not be started: {}: {}", command.front(),
                                                what, std::generic_category().message(errno)));
  };
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return failed("pipe");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(arguments.data(), pipe[1], parent);
  ::close(pipe[1]);
  if (child < 0) {
    ::close(pipe[0]);
    return failed("fork");
  }
  ProcessEnd end{.status = 0, .output = read_tail(pipe[0], tick)};
  ::close(pipe[0]);

  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return end;
}

}  // namespace hf
