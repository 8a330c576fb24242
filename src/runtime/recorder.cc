#include "runtime/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace hf {
namespace {

constexpr std::size_t kBytesKeptMax = 64 * 1024;
constexpr Duration kKeptFor = std::chrono::seconds(1);

// Writes what it can; returns how much that was. Less than everything: errno says why.
std::size_t write_all(int file, std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

std::string words_of(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::create(const std::string& path, std::string program) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(Code::kInvalidInput,
                fmt::format("The event log '{}' cannot be written: {}.", path, words_of(errno)));
  }
  // An old file has its old mode; what is no file, such as a pipe, keeps its own.
  struct stat status{};
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) ::fchmod(file, 0600);
  return std::unique_ptr<Recorder>(new Recorder(file, path, std::move(program)));
}

Recorder::Recorder(int file, std::string path, std::string program)
    : file_(file), path_(std::move(path)), program_(std::move(program)) {}

Recorder::~Recorder() {
  if (file_ >= 0) ::close(file_);
}

void Recorder::start(wire::LogHeader header) {
  header.program = program_;
  writer_.header(header);
  flush();
}

void Recorder::step(TimePoint at, const Event& event, std::span<const Command> commands) {
  if (file_ < 0) return;
  writer_.step(at, event, commands);
  const bool is_end = std::ranges::any_of(
      commands, [](const Command& each) { return std::holds_alternative<FinishQuery>(each); });
  if (!is_end && lines_.size() < kBytesKeptMax && at - flushed_ < kKeptFor) return;
  flushed_ = at;
  flush();
}

void Recorder::forget(const RunRecord& record) {
  if (file_ >= 0) writer_.record(record);
}

void Recorder::finish() {
  if (file_ < 0) return;
  writer_.end();
  flush();
}

void Recorder::flush() {
  if (file_ < 0) return;
  const std::size_t written = write_all(file_, lines_);
  if (written < lines_.size()) return cut(written, words_of(errno));
  bytes_in_file_ += written;
  lines_in_file_ = writer_.lines();
  lines_.clear();
}

// The last line takes the room of others that were written, so that it fits on a full disk too.
void Recorder::cut(std::size_t written, const std::string& reason) {
  std::string last;
  wire::EventLogWriter(last).cut(reason);  // As long as the one that is written below.
  const std::size_t room = written - std::min(written, last.size());
  const std::size_t kept = lines_.rfind('\n', room) + 1;  // Of what was written now: whole lines.
  const auto lines = std::count(lines_.begin(), lines_.begin() + std::ptrdiff_t(kept), '\n');
  last.clear();
  wire::EventLogWriter(last, lines_in_file_ + static_cast<std::size_t>(lines)).cut(reason);
  trouble_ = fmt::format(
      "The event log '{}' could not be written on: {}. It is cut there; the run is not affected.",
      path_, reason);
  const auto end = static_cast<off_t>(bytes_in_file_ + kept);
  if (::ftruncate(file_, end) == 0 && ::lseek(file_, end, SEEK_SET) == end &&
      write_all(file_, last) < last.size()) {
    [[maybe_unused]] const int is_half_line_gone = ::ftruncate(file_, end);
  }
  ::close(std::exchange(file_, -1));
}

}  // namespace hf
