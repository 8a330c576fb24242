#include "net/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "net/event_loop_impl.h"

extern char** environ;

namespace hf::net {
namespace {

constexpr std::size_t kLineBytesMax = 16 * 1024;

class Child final : public ChildProcess, public std::enable_shared_from_this<Child> {
 public:
  Child(EventLoop& loop, pid_t pid, int pidfd, int standard_input, int standard_output,
        Listener listener)
      : pid_(pid),
        standard_input_(standard_input),
        end_(loop.impl().context, pidfd),
        output_(loop.impl().context, standard_output),
        listener_(std::move(listener)) {}

  ~Child() override { ::close(standard_input_); }

  void begin() {
    read();
    wait();
  }

  // No callback after this; the pending reads keep the object alive until the loop sees them end.
  void stop() {
    listener_ = {};
    if (!is_reaped_) {
      ::kill(pid_, SIGKILL);
      reap();
    }
    boost::system::error_code ignored;
    output_.close(ignored);
    end_.close(ignored);
  }

  [[nodiscard]] int pid() const override { return pid_; }

 private:
  void read() {
    output_.async_read_some(boost::asio::buffer(buffer_),
                            [self = shared_from_this()](const auto& error, std::size_t bytes) {
                              if (error) return;
                              self->take(std::string_view(self->buffer_.data(), bytes));
                              self->read();
                            });
  }

  void take(std::string_view bytes) {
    line_.append(bytes);
    std::size_t begin = 0;
    for (std::size_t end; (end = line_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (listener_.on_line) listener_.on_line(std::string_view(line_).substr(begin, end - begin));
    }
    line_.erase(0, begin);
    if (line_.size() > kLineBytesMax) line_.clear();
  }

  void wait() {
    end_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const auto& error) {
                      if (error || self->is_reaped_) return;
                      const int code = self->reap();
                      if (self->listener_.on_exit) self->listener_.on_exit(code);
                    });
  }

  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    is_reaped_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t pid_;
  int standard_input_;
  boost::asio::posix::stream_descriptor end_;
  boost::asio::posix::stream_descriptor output_;
  Listener listener_;
  std::array<char, 4096> buffer_{};
  std::string line_;
  bool is_reaped_ = false;
};

// What the caller holds: its end stops the child, whose pending reads may live a turn longer.
class Handle final : public ChildProcess {
 public:
  explicit Handle(std::shared_ptr<Child> child) : child_(std::move(child)) {}
  ~Handle() override { child_->stop(); }
  [[nodiscard]] int pid() const override { return child_->pid(); }

 private:
  std::shared_ptr<Child> child_;
};

struct Pipe {
  int read = -1;
  int write = -1;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Code::kUnavailable,
                fmt::format("No pipe could be made: {}.", std::strerror(errno)));
  }
  return Pipe{ends[0], ends[1]};
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(EventLoop& loop,
                                                          const std::vector<std::string>& arguments,
                                                          const std::string& log_file,
                                                          Listener listener) {
  HF_TRY(const Pipe input, make_pipe());
  HF_TRY(const Pipe output, make_pipe());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_file.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  // A copy of a client's connection in the child would keep it open after we have closed it.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // Its own group: a Ctrl-C at the terminal goes to us, and we decide about the child.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, arguments.front().c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(input.read);
  ::close(output.write);

  const int pidfd = failed == 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1;
  if (pidfd < 0) {
    const int reason = failed != 0 ? failed : errno;
    ::close(input.write);
    ::close(output.read);
    if (failed == 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    return fail(Code::kUnavailable, fmt::format("'{}' could not be started: {}.", arguments.front(),
                                                std::strerror(reason)));
  }
  ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  auto child =
      std::make_shared<Child>(loop, pid, pidfd, input.write, output.read, std::move(listener));
  child->begin();
  return std::make_unique<Handle>(std::move(child));
}

}  // namespace hf::net
