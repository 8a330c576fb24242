// A number from text that somebody else wrote.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace hf {

// The number that the whole text is. Nothing if it is empty, if anything else stands beside the
// number (a blank, a '+', "0x") or if the number does not fit; "inf" and "nan" are doubles.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, value, base);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}
template <std::floating_point Number>
std::optional<Number> parse_number(std::string_view text,
                                   std::chars_format format = std::chars_format::general) {
  Number value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stopped, error] = std::from_chars(begin, end, value, format);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace hf
