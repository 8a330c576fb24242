#include "wire/request_field.h"

#include <fmt/format.h>

#include <algorithm>

namespace hf::wire {

RequestFault invalid_field(std::string_view field, std::string_view must_be) {
  return {fmt::format("'{}' must be {}.", field, must_be), std::string(field), "invalid_value"};
}

RequestFault unsupported_field(std::string_view field) {
  return {fmt::format("'{}' is not supported by this server; leave it out.", field),
          std::string(field), "unsupported_parameter"};
}

const json::value* given(const json::object& object, std::string_view field) {
  const json::value* value = find(object, field);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Fault check_known(const json::object& object, std::string_view name,
                  std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    const std::string_view key(member.key());
    if (std::ranges::find(known, key) != known.end()) continue;
    return RequestFault{fmt::format("'{}' has no field '{}'.", name, key),
                        fmt::format("{}.{}", name, key), "unknown_parameter"};
  }
  return std::nullopt;
}

}  // namespace hf::wire
