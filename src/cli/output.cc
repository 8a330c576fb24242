#include "cli/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"
#include "cli/ask.h"
#include "cli/environment.h"

namespace hf::cli {
namespace {

struct Character {
  std::string_view bytes;
  char32_t point = 0;
};

// Takes the first character off. REQUIRES: not empty, well-formed.
Character take(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = length == 1 ? lead : lead & (0x7FU >> length);
  for (const char c : text.substr(1, length - 1)) {
    point = (point << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
  }
  const Character taken{text.substr(0, length), point};
  text.remove_prefix(length);
  return taken;
}

bool is_control(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

// East Asian scripts and emoji take two columns. Marks that take none are counted as one, so that a
// line is never longer than it is taken to be.
std::size_t columns_of(char32_t point) {
  constexpr std::array<std::pair<char32_t, char32_t>, 9> kWide{{{0x1100, 0x115F},
                                                                {0x231A, 0x231B},
                                                                {0x23E9, 0x23FF},
                                                                {0x25FD, 0x27BF},
                                                                {0x2B1B, 0x2B55},
                                                                {0x2E80, 0xA97F},
                                                                {0xAC00, 0xD7FF},
                                                                {0xF900, 0xFFE6},
                                                                {0x16FE0, 0x3FFFF}}};
  const auto holds = [point](const auto& range) {
    return point >= range.first && point <= range.second;
  };
  return std::ranges::any_of(kWide, holds) ? 2 : 1;
}

// Whoever closed the pipe, such as `head`, has seen enough.
bool is_reader_gone() {
  pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

}  // namespace

std::string printable(std::string_view text) {
  const std::string repaired = repair_utf8(text);
  std::string shown;
  for (std::string_view rest = repaired; !rest.empty();) {
    const Character c = take(rest);
    if (!is_control(c.point) || c.point == '\n' || c.point == '\t') shown += c.bytes;
  }
  return shown;
}

bool is_terminal(std::FILE* file) {
  return ::isatty(::fileno(file)) == 1;
}

void show(std::FILE* file, std::string_view text) {
  const std::string shown = is_terminal(file) ? printable(text) : std::string(text);
  std::fwrite(shown.data(), 1, shown.size(), file);
}

void print_json(const wire::json::value& document) {
  show(stdout, wire::to_text(document, wire::Layout::kIndented) + "\n");
}

int finish_output(int exit_code) {
  const bool is_lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!is_lost || is_reader_gone()) return exit_code;
  return complain(
      "What should be on standard output could not all be written there; check the "
      "disk or the file behind it.",
      kFailed);
}

std::size_t columns(std::string_view text) {
  const std::string repaired = repair_utf8(text);
  std::size_t count = 0;
  for (std::string_view rest = repaired; !rest.empty();) count += columns_of(take(rest).point);
  return count;
}

std::string fit(std::string_view text, std::size_t width) {
  const std::string repaired = repair_utf8(text);
  std::string fitted;
  std::size_t used = 0;
  std::size_t end = 0;  // Of what leaves a column for the dots.
  std::size_t used_at_end = 0;
  for (std::string_view rest = repaired; !rest.empty();) {
    const Character c = take(rest);
    const std::size_t more = columns_of(c.point);
    if (used + more > width) {
      fitted.resize(end);
      if (width > 0) fitted += "…";
      used = used_at_end + (width > 0 ? 1 : 0);
      break;
    }
    fitted += is_control(c.point) ? std::string_view(" ") : c.bytes;
    used += more;
    if (used < width) {
      end = fitted.size();
      used_at_end = used;
    }
  }
  fitted.append(width - used, ' ');
  return fitted;
}

Screen screen_size() {
  Screen screen;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) {
    if (size.ws_col > 0) screen.width = size.ws_col;
    if (size.ws_row > 0) screen.height = size.ws_row;
  }
  return screen;
}

}  // namespace hf::cli
