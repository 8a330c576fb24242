#include "cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/number.h"

namespace hf::cli {
namespace {

bool is_empty_assignment(std::string_view argument) {
  return argument.starts_with("--") && argument.ends_with('=');
}

}  // namespace

// CLI11 takes -1 for the largest number there is.
Result<std::uint64_t> read_seed(const std::string& text) {
  if (const auto seed = parse_number<std::uint64_t>(text)) return *seed;
  return fail(Code::kInvalidInput, fmt::format("'{}' is not a whole number from 0 to {}", text,
                                               std::numeric_limits<std::uint64_t>::max()));
}

std::optional<std::string> misuse_of(std::span<char*> arguments,
                                     const std::function<bool(std::string_view)>& is_command) {
  if (arguments.size() > 1 && arguments[1][0] != '-' && !is_command(arguments[1])) {
    return fmt::format("There is no command '{}' (see --help)", arguments[1]);
  }
  const auto end = std::ranges::find(arguments, std::string_view("--"));
  const auto empty = std::find_if(arguments.begin(), end, is_empty_assignment);
  if (empty == end) return std::nullopt;
  return fmt::format("{} needs a value that is not empty (see --help)", *empty);
}

}  // namespace hf::cli
