// Multiple-choice questions as MMLU-Pro publishes them, a line of JSON each.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/line_members.h"

namespace hf::wire {

struct ChoiceQuestion {
  std::string id;
  std::string category;
  std::string question;
  std::vector<std::string> options;  // 1 to 26; the letter of the first is A.
  std::string answer;                // The letter of the right option.
};

// Reads one line; `number` is the line's, for messages. An error names the line and the member.
Result<ChoiceQuestion> read_choice_question(std::string_view line, std::size_t number);

// The question as it is put: its text, then a line "A) …" for each option.
std::string choice_text(std::string_view question, std::span<const std::string> options);

// Refuses a number of options that letters cannot name, and an answer that names none of them.
Result<void> check_choice(const LineMembers& members, std::span<const std::string> options,
                          std::string_view answer);

}  // namespace hf::wire
