#include "cli/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "catalogue/store.h"
#include "cli/output.h"
#include "runtime/runtime_directory.h"
#include "store/schema.h"

namespace hf::cli {

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

int complain(const std::string& message, int exit_code) {
  show(stderr, fmt::format("hybridflow: {}\n", message));
  return exit_code;
}

}  // namespace hf::cli
