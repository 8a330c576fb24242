// Small readings of what a planner writes into attributes: labels, lists of labels, roles, numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "model/subtask.h"
#include "plan/markup.h"

namespace hf {

std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);

// The field that an attribute or element of this name (in lower case) is.
Field field_of(std::string_view name);

// Whether an element of this name (in lower case) holds thoughts that are no part of a plan.
bool is_thinking_name(std::string_view name);

// Decodes the five named entities and character references; anything else stays as it is.
std::string decode_entities(std::string_view text);

// A name for a step out of an id as written: "1", "Step 1", "step_1", "one" are all "1"; "2a"
// stays. Empty if there is none.
std::string read_label(std::string_view text);

// The labels in a list such as "1, 2", "Step 1 and Step 2", "1-3", "none"; each once.
std::vector<std::string> read_labels(std::string_view text);

// A label that is a plain integer, as one.
std::optional<std::int64_t> number_of(std::string_view label);

// The first integer in the text, at most `most`; 0 if there is none.
std::int64_t first_number(std::string_view text, std::int64_t most);

std::optional<Role> read_role(std::string_view text);

// Task text on one line without control characters, trimmed, cut at a character.
std::string read_task(std::string_view text, std::size_t bytes_max);

// Equal for tasks that differ in case, white space and final punctuation only.
std::string task_key(std::string_view task);

}  // namespace hf
