#include "cli/environment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "catalogue/store.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "runtime/runtime_directory.h"
#include "store/schema.h"

namespace hf::cli {

void prepare_process() {
  // A closed pipe or socket is an error of one write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  // Until a command takes these over to settle what it has begun, there is nothing to settle.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const auto before = std::signal(signal, [](int) { std::_Exit(kInterrupted); });
    if (before == SIG_IGN) std::signal(signal, SIG_IGN);  // As nohup wants it.
  }
  // A descriptor that the caller has closed would be given to the next file or socket; this keeps
  // its place, and its use fails as it should.
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) >= 0) continue;
    static_cast<void>(::open("/dev/null", file == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
  }
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<RuntimeOptions> runtime_options() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length <= 0)
    return fail(Code::kInternal, "The path of this program cannot be read from /proc/self/exe.");
  // Where there is no place for models, only who needs one has to know.
  const auto models = model_directory([](const char* name) { return std::getenv(name); });
  HF_TRY(std::string runtime, runtime_directory(process_environment()));
  const auto getenv = [](const char* name) -> const char* { return std::getenv(name); };
  HF_TRY(const auto ledger, store::default_ledger_path(getenv));
  return RuntimeOptions{.program = std::string(path.data(), static_cast<std::size_t>(length)),
                        .model_directory = models.value_or(""),
                        .runtime_directory = std::move(runtime),
                        .ledger_path = ledger.string()};
}

std::int64_t seconds_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

int complain(const std::string& message, int exit_code) {
  show(stderr, fmt::format("hybridflow: {}\n", message));
  return exit_code;
}

}  // namespace hf::cli
