// The words of the command line as far as its parser (main.cc) would read them less plainly, or
// wrongly.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::cli {

// A whole number from 0 to 2^64 - 1.
Result<std::uint64_t> read_seed(const std::string& text);

// What the parser would complain of less plainly, or not at all: an unknown command, an option that
// is there but empty.
std::optional<std::string> misuse_of(std::span<char*> arguments,
                                     const std::function<bool(std::string_view)>& is_command);

}  // namespace hf::cli
