#include "wire/question_lines.h"

#include <fmt/format.h>

namespace hf::wire {

Result<ChoiceQuestion> read_choice_question(std::string_view line, std::size_t number) {
  HF_TRY(const json::value value, read_line_object(line, number));
  const LineMembers members(value.get_object(), fmt::format("line {}: ", number));
  ChoiceQuestion question;
  HF_TRY(question.id, members.name("id"));
  HF_TRY(question.category, members.name("category"));
  HF_TRY(question.question, members.name("question"));
  HF_TRY(question.options, members.texts("options"));
  HF_TRY(question.answer, members.name("answer"));
  HF_CHECK(check_choice(members, question.options, question.answer));
  return question;
}

std::string choice_text(std::string_view question, std::span<const std::string> options) {
  std::string text(question);
  for (std::size_t i = 0; i < options.size(); ++i) {
    text += fmt::format("\n{}) {}", static_cast<char>('A' + i), options[i]);
  }
  return text;
}

Result<void> check_choice(const LineMembers& members, std::span<const std::string> options,
                          std::string_view answer) {
  if (options.empty() || options.size() > 26) {
    return members.wrong("options", "have 1 to 26 entries");
  }
  const char last = static_cast<char>('A' + options.size() - 1);
  if (answer.size() != 1 || answer[0] < 'A' || answer[0] > last) {
    return members.wrong("answer", fmt::format("be a letter from A to {}", last));
  }
  return {};
}

}  // namespace hf::wire
