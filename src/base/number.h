// A number from text that somebody else wrote.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace hf {

// The number that the whole text is. Nothing if it is empty, if anything else stands beside the
// number (a blank, a '+', "0x") or if the number does not fit; "inf" and "nan" are doubles.
// `how` is what std::from_chars takes behind the number: a base, or a std::chars_format.
template <class Number, class... How>
std::optional<Number> parse_number(std::string_view text, How... how) {
  Number value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, value, how...);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace hf
