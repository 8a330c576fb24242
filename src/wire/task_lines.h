// Tasks to profile endpoints on: a question with its right answer, a line of JSON each.
//
//   {"id": "t1", "category": "arithmetic", "question": "…", "options": ["…"], "answer": "B"}
//
// Only "question" and "answer" are required; "id" and "answer" may be whole numbers. With options
// the answer is the letter of the right one. Knows single lines only; eval/tasks.h reads files.
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::wire {

// A longer question is refused, as `ask` does.
inline constexpr std::size_t kTaskBytesMax = 128 * 1024;

struct Task {
  std::string id;        // "" if none was given.
  std::string category;  // The same.
  std::string question;  // As it is put: with a line "A) …" for each option.
  std::string answer;
};

// Reads one line; `number` is the line's, for messages. Members that it does not know are ignored;
// an error names the line and the member.
Result<Task> read_task_line(std::string_view line, std::size_t number);

}  // namespace hf::wire
