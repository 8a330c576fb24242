#include "wire/exact_json.h"

#include <array>

#include "base/number.h"

namespace hf::wire {

void put_exact(std::string& out, double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  (out += '"').append(text.data(), end) += '"';
}

void put_exact(std::string& out, std::string_view text) {
  out += to_text(json::string(text));
}

Result<void> must_be(std::string_view what) {
  return fail(Code::kInvalidInput, fmt::format(" must be {}", what));
}

Result<void> under(std::string_view name, Result<void> result) {
  if (!result) result.error().message = fmt::format(".{}{}", name, result.error().message);
  return result;
}

Result<void> get_exact(const json::value& in, bool& out) {
  if (!in.is_bool()) return must_be("true or false");
  out = in.get_bool();
  return {};
}

Result<void> get_exact(const json::value& in, double& out) {
  std::string text;
  HF_CHECK(get(in, text));
  const auto number = parse_number<double>(text);
  if (!number) return must_be("a number in quotes");
  out = *number;
  return {};
}

Result<void> get_exact(const json::value& in, std::string& out) {
  if (!in.is_string()) return must_be("a text");
  out = std::string_view(in.get_string());
  return {};
}

}  // namespace hf::wire
