#include "cli/version.h"

#include <fmt/format.h>

#include "cli/output.h"
#include "wire/json.h"

namespace hf::cli {

std::string version_line() {
  return fmt::format("hybridflow {} ({})", HF_VERSION,
                     kHasEngine ? "with the local engine" : "without a local engine");
}

int run_version(bool json) {
  if (!json) {
    fmt::print("{}\n", version_line());
    return 0;
  }
  const wire::json::object object{
      {"name", "hybridflow"},
      {"version", HF_VERSION},
      {"engine", kHasEngine},
      {"llama", kHasEngine ? wire::json::value(HF_LLAMA_VERSION) : wire::json::value(nullptr)},
      {"compiler", "clang " __clang_version__},
      {"receipt_version", 1}};
  print_json(object);
  return 0;
}

}  // namespace hf::cli
