#include "wire/task_lines.h"

#include <fmt/format.h>

#include <vector>

#include "wire/line_members.h"
#include "wire/question_lines.h"

namespace hf::wire {
namespace {

// A text that is not empty, or a whole number as one.
Result<std::string> text_or_number(const json::object& object, const LineMembers& members,
                                   std::string_view key) {
  if (const auto number = find_integer(object, key)) return fmt::to_string(*number);
  return members.name(key);
}

}  // namespace

Result<Task> read_task_line(std::string_view line, std::size_t number) {
  HF_TRY(const json::value value, read_line_object(line, number));
  const json::object& object = value.get_object();
  const LineMembers members(object, fmt::format("line {}: ", number));
  Task task;
  if (members.has("id")) {
    HF_TRY(task.id, text_or_number(object, members, "id"));
  }
  HF_TRY(const auto category, members.text("category"));
  task.category = category.value_or("");
  HF_TRY(task.question, members.name("question"));
  if (task.question.find_first_not_of(" \t\r\n") == std::string::npos) {
    return members.wrong("question", "not be blank");
  }
  HF_TRY(task.answer, text_or_number(object, members, "answer"));
  if (members.has("options")) {
    HF_TRY(const std::vector<std::string> options, members.texts("options"));
    HF_CHECK(check_choice(members, options, task.answer));
    task.question = choice_text(task.question, options);
  }
  if (task.question.size() > kTaskBytesMax) {
    return fail(Code::kInvalidInput,
                fmt::format("line {}: question is longer than {} bytes.", number, kTaskBytesMax));
  }
  return task;
}

}  // namespace hf::wire
