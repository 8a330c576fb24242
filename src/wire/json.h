// The JSON of this project: Boost.JSON values with strict limits on reading, and a writer whose
// numbers look as people expect (0.7, not 7E-1) and whose strings are always valid UTF-8.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::wire {

namespace json = boost::json;

// At most 64 levels deep, well-formed UTF-8, nothing after the value. The error says where.
Result<json::value> parse_json(std::string_view text);

// Compact, or indented by two spaces per level.
enum class Layout { kCompact, kIndented };
std::string to_text(const json::value& value, Layout layout = Layout::kCompact);

// Typed access that answers instead of throwing: nullptr or nullopt if absent or of another type.
const json::value* find(const json::object& object, std::string_view key);
const json::object* find_object(const json::object& object, std::string_view key);
const json::array* find_array(const json::object& object, std::string_view key);
std::optional<std::string_view> find_string(const json::object& object, std::string_view key);
std::optional<double> find_number(const json::object& object, std::string_view key);
std::optional<bool> find_bool(const json::object& object, std::string_view key);
// Integers that fit; a double with an integral value counts.
std::optional<std::int64_t> find_integer(const json::object& object, std::string_view key);

}  // namespace hf::wire
