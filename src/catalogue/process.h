// Runs another program to its end and keeps the end of what it said.
//
// No shell is involved. The program is killed if this process dies first.
//
// Thread safety: call it from a program that has no other threads; it forks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hf {

struct ProcessEnd {
  int status = 0;  // Exit status; 127 if the program is not there, 128 + n if signal n ended it.
  std::string output;  // The last kilobytes of stdout and stderr together.
};

// Runs `command` with stdin closed; `tick` is called now and then while it runs.
Result<ProcessEnd> run_process(const std::vector<std::string>& command,
                               const std::function<void()>& tick);

}  // namespace hf
