#include "eval/tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "eval/text_file.h"
#include "learn/split.h"
#include "route/answer.h"

namespace hf::eval {

Result<std::vector<wire::Task>> load_tasks(const std::filesystem::path& file) {
  HF_TRY(const std::string text, read_text_file(file));
  std::vector<wire::Task> tasks;
  std::map<std::uint64_t, std::size_t> questions;  // The line of each.
  std::map<std::string, std::size_t> ids;
  const auto refuse = [&](const std::string& sentence) {
    return fail(Code::kInvalidInput, fmt::format("{}: {}", file.string(), sentence));
  };

  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto task = wire::read_task_line(line, number);
    if (!task) return refuse(task.error().message);
    if (final_answer(task->answer).empty()) {
      return refuse(fmt::format(
          "line {}: answer has no number, letter or short text to compare with.", number));
    }
    const std::uint64_t print = learn::fingerprint(task->question);
    if (task->id.empty()) task->id = fmt::format("task-{:016x}", print);
    const auto [question, is_new_question] = questions.try_emplace(print, number);
    if (!is_new_question) {
      return refuse(fmt::format("lines {} and {} ask the same question; remove one of them.",
                                question->second, number));
    }
    const auto [id, is_new_id] = ids.try_emplace(task->id, number);
    if (!is_new_id) {
      return refuse(
          fmt::format("lines {} and {} have the same id \"{}\".", id->second, number, task->id));
    }
    tasks.push_back(*std::move(task));
  }
  if (tasks.empty()) return refuse("there is no task in it.");
  return tasks;
}

}  // namespace hf::eval
