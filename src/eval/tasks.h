// Files of tasks (wire/task_lines.h), checked as a whole.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "wire/task_lines.h"

namespace hf::eval {

// Reads a file of task lines, plain or gzip; blank lines are skipped. A task without an id is named
// after a hash of its question that never changes. Refused with file and line: what is no task, a
// right answer that nothing could be compared with, and an id or a question (but for case and
// blanks) that was there before.
Result<std::vector<wire::Task>> load_tasks(const std::filesystem::path& file);

}  // namespace hf::eval
