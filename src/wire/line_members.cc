#include "wire/line_members.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/utf8.h"

namespace hf::wire {
namespace {

constexpr std::size_t kQuotedBytesMax = 60;

std::string shown(const json::value& value) {
  std::string text = to_text(value);
  if (text.size() <= kQuotedBytesMax) return text;
  text.resize(complete_utf8_prefix(std::string_view(text).substr(0, kQuotedBytesMax)));
  return text + "…";
}

}  // namespace

const json::value* LineMembers::value_of(std::string_view key) const {
  const json::value* value = find(*object_, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::unexpected<Error> LineMembers::missing(std::string_view key) const {
  return fail(Code::kInvalidInput, fmt::format("{}{} is missing.", path_, key));
}

std::unexpected<Error> LineMembers::wrong(std::string_view key, std::string_view demand) const {
  const json::value* value = value_of(key);
  if (value == nullptr) return missing(key);
  return fail(Code::kInvalidInput,
              fmt::format("{}{} is {}, but must {}.", path_, key, shown(*value), demand));
}

Result<std::optional<double>> LineMembers::number(std::string_view key, NumberRange range) const {
  if (!has(key)) return std::nullopt;
  const std::string words = range.words.empty()
                                ? fmt::format("from {} to {}", range.low, range.high)
                                : std::string(range.words);
  const std::optional<double> number = find_number(*object_, key);
  if (!number) return wrong(key, "be a number " + words);
  if (!(*number >= range.low && *number <= range.high)) return wrong(key, "be " + words);
  return number;
}

Result<std::optional<std::int64_t>> LineMembers::count(std::string_view key,
                                                       std::int64_t max) const {
  if (!has(key)) return std::nullopt;
  const std::optional<std::int64_t> count = find_integer(*object_, key);
  if (!count || *count < 0 || *count > max) {
    return wrong(key, fmt::format("be a whole number from 0 to {}", max));
  }
  return count;
}

Result<std::optional<std::string>> LineMembers::text(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const std::optional<std::string_view> text = find_string(*object_, key);
  if (!text) return wrong(key, "be a text");
  return std::string(*text);
}

Result<std::optional<LineMembers>> LineMembers::object(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const json::object* object = find_object(*object_, key);
  if (object == nullptr) return wrong(key, "be an object");
  return LineMembers(*object, fmt::format("{}{}.", path_, key));
}

Result<std::optional<std::vector<LineMembers>>> LineMembers::objects(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const json::array* array = find_array(*object_, key);
  if (array == nullptr || !std::ranges::all_of(*array, &json::value::is_object)) {
    return wrong(key, "be a list of objects");
  }
  std::vector<LineMembers> entries;
  entries.reserve(array->size());
  for (const json::value& value : *array) {
    entries.emplace_back(value.get_object(), fmt::format("{}{}[{}].", path_, key, entries.size()));
  }
  return entries;
}

Result<std::string> LineMembers::name(std::string_view key) const {
  HF_TRY(auto name, text(key));
  if (!name) return missing(key);
  if (name->empty()) return wrong(key, "not be empty");
  return *std::move(name);
}

Result<std::size_t> LineMembers::word(std::string_view key,
                                      std::span<const std::string_view> words) const {
  if (!has(key)) return missing(key);
  const auto found = std::ranges::find(words, find_string(*object_, key));
  if (found == words.end()) {
    return wrong(key, fmt::format("be one of \"{}\"", fmt::join(words, "\", \"")));
  }
  return static_cast<std::size_t>(found - words.begin());
}

Result<std::vector<std::string>> LineMembers::texts(std::string_view key) const {
  std::vector<std::string> texts;
  if (!has(key)) return texts;
  const json::array* array = find_array(*object_, key);
  if (array == nullptr || !std::ranges::all_of(*array, &json::value::is_string)) {
    return wrong(key, "be a list of texts");
  }
  texts.reserve(array->size());
  for (const json::value& value : *array) texts.emplace_back(value.get_string());
  return texts;
}

Result<std::vector<std::string>> LineMembers::names(std::string_view key) const {
  HF_TRY(auto names, texts(key));
  if (std::ranges::find(names, "") != names.end()) return wrong(key, "have no empty text");
  return names;
}

Result<json::value> read_line_object(std::string_view line, std::size_t number) {
  auto value = parse_json(line);
  if (!value) {
    return fail(Code::kInvalidInput, fmt::format("line {}: {}", number, value.error().message));
  }
  if (!value->is_object()) {
    return fail(Code::kInvalidInput,
                fmt::format("line {}: this is no JSON object; write one object a line.", number));
  }
  return value;
}

}  // namespace hf::wire
