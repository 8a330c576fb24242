// The process's surroundings, read here and handed down.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "runtime/runtime.h"

namespace hf::cli {

// What must hold before anything else runs: a closed pipe is no end of the program, a signal is
// one, and no file takes the place of a standard descriptor that the caller has closed.
void prepare_process();

Environment process_environment();

// Paths that engines need: this binary, the model directory, the folder for sockets.
Result<RuntimeOptions> runtime_options();

// Unix seconds.
std::int64_t seconds_now();

// "hybridflow: MESSAGE" on standard error. Returns `exit_code`.
int complain(const std::string& message, int exit_code);

}  // namespace hf::cli
