// A child process with its output on the loop: lines of standard output as they come, standard
// error to a file, and the news of its end.
//
// The child's standard input is a pipe that this process holds open: it reads end of file when this
// process is gone, however it went, and can end itself then.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/event_loop.h"

namespace hf::net {

class ChildProcess {
 public:
  struct Listener {
    std::move_only_function<void(std::string_view line)> on_line;
    // Once: the exit code, or 128 + the signal that ended it.
    std::move_only_function<void(int code)> on_exit;
  };

  // Starts `arguments[0]` (a path). Standard error is appended to `log_file`. The callbacks run on
  // the loop's thread, never after the ChildProcess is destroyed, which they must not do
  // themselves. The loop must outlive it.
  static Result<std::unique_ptr<ChildProcess>> start(EventLoop& loop,
                                                     const std::vector<std::string>& arguments,
                                                     const std::string& log_file,
                                                     Listener listener);
  // Kills the child if it still runs, and waits for its end.
  virtual ~ChildProcess() = default;

  [[nodiscard]] virtual int pid() const = 0;
};

}  // namespace hf::net
