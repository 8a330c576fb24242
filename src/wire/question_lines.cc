#include "wire/question_lines.h"

#include <fmt/format.h>

#include "wire/line_members.h"

namespace hf::wire {

Result<ChoiceQuestion> read_choice_question(std::string_view line, std::size_t number) {
  HF_TRY(const json::value value, read_line_object(line, number));
  const LineMembers members(value.get_object(), fmt::format("line {}: ", number));
  ChoiceQuestion question;
  HF_TRY(question.id, members.name("id"));
  HF_TRY(question.category, members.name("category"));
  HF_TRY(question.question, members.name("question"));
  HF_TRY(question.options, members.texts("options"));
  if (question.options.empty() || question.options.size() > 26) {
    return members.wrong("options", "have 1 to 26 entries");
  }
  HF_TRY(question.answer, members.name("answer"));
  const char last = static_cast<char>('A' + question.options.size() - 1);
  if (question.answer.size() != 1 || question.answer[0] < 'A' || question.answer[0] > last) {
    return members.wrong("answer", fmt::format("be a letter from A to {}", last));
  }
  return question;
}

}  // namespace hf::wire
