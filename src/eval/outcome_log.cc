#include "eval/outcome_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "eval/text_file.h"
#include "wire/outcome_lines.h"

namespace hf::eval {

Result<OutcomeLog> OutcomeLog::open(const std::filesystem::path& path) {
  if (path.extension() == ".gz") {
    return fail(Code::kInvalidInput,
                fmt::format("{}: lines are appended one by one, so this file cannot be compressed; "
                            "leave .gz out of its name.",
                            path.string()));
  }
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  OutcomeLog log(file, path);
  if (file < 0) return log.no_access("opened for writing");
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kInvalidInput,
                fmt::format("{}: another program is writing this file; wait for it, or choose "
                            "another one.",
                            path.string()));
  }
  HF_CHECK(log.read());
  return log;
}

OutcomeLog::OutcomeLog(OutcomeLog&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      rows_(std::move(other.rows_)),
      torn_bytes_(other.torn_bytes_) {}

OutcomeLog::~OutcomeLog() {
  if (file_ >= 0) ::close(file_);
}

std::unexpected<Error> OutcomeLog::no_access(std::string_view what) const {
  return fail(Code::kInvalidInput,
              fmt::format("{} cannot be {}: {}.", path_.string(), what, std::strerror(errno)));
}

Result<void> OutcomeLog::read() {
  HF_TRY(const std::string text, read_text_file(path_));
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const bool is_whole = line.size() < rest.size();
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      auto row = wire::read_outcome_line(line, number);
      if (!row && is_whole) {
        return fail(row.error().code, fmt::format("{}: {}", path_.string(), row.error().message));
      }
      if (!row) {
        torn_bytes_ = line.size();
        if (::ftruncate(file_, static_cast<off_t>(text.size() - line.size())) != 0)
          return no_access("cut to its whole lines");
        return {};
      }
      rows_.push_back(*std::move(row));
    }
    if (!is_whole) return write("\n");
    rest.remove_prefix(line.size() + 1);
  }
  return {};
}

Result<void> OutcomeLog::append(const OutcomeRow& row) {
  return write(wire::write_outcome_line(row) + '\n');
}

Result<void> OutcomeLog::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(file_, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return no_access("written");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

}  // namespace hf::eval
