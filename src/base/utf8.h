// UTF-8 as it really arrives: cut in the middle of a character or plainly wrong.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hf {

// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF).
bool is_utf8(std::string_view text);

// A copy with every ill-formed sequence replaced by U+FFFD.
std::string repair_utf8(std::string_view text);

// Length of the longest prefix that does not end inside a character that could still be completed.
// Bytes after it should be held back until more arrive.
std::size_t complete_utf8_prefix(std::string_view text);

}  // namespace hf
