// What is wrong with a field of a request, and the words for it. For the readers of requests.
// Thread safety: none needed, there is no state.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "wire/json.h"

namespace hf::wire {

// What is wrong with a request, as OpenAI's errors say it.
struct RequestFault {
  std::string message;  // One sentence.
  std::string param;    // The field at fault; empty if it is not one.
  std::string code;     // Stable, for programs.
};

using Fault = std::optional<RequestFault>;  // Absent: nothing is wrong.

RequestFault invalid_field(std::string_view field, std::string_view must_be);
RequestFault unsupported_field(std::string_view field);

// Null if it is absent or null.
const json::value* given(const json::object& object, std::string_view field);

// That `object`, which errors call `name`, has no other members.
Fault check_known(const json::object& object, std::string_view name,
                  std::initializer_list<std::string_view> known);

}  // namespace hf::wire
