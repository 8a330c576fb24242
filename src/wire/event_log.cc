#include "wire/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "wire/event_members.h"
#include "wire/exact_json.h"

namespace hf::wire {

HF_MEMBERS(LogHeader, program, policy, weights, corrections, policy_options, scheduler);
HF_MEMBERS(LogCut, reason);

namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kShownBytesMax = 160;

// FNV-1a, begun with the number of the line so that no two lines can trade places.
std::uint64_t sum_of(std::string_view text, std::size_t line) {
  std::uint64_t sum = 0xCBF29CE484222325U ^ line;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return sum;
}

Result<LogLine> wrong_line(std::string_view what) {
  return fail(Code::kInvalidInput, fmt::format("it is no line of an event log: {}", what));
}

template <class Line>
Result<LogLine> read_as(std::string_view name, const json::value& value) {
  Line line;
  if (const auto read = under(name, get(value, line)); !read)
    return wrong_line(std::string_view(read.error().message).substr(1));
  return line;
}

Result<LogLine> read_header(const json::object& object, const json::value& format) {
  const json::value* header = find(object, "header");
  if (!format.is_int64() || header == nullptr) return wrong_line("the header is missing");
  if (format.get_int64() != kFormat) {
    return fail(Code::kInvalidInput, fmt::format("the log has format {}, this program reads {}",
                                                 format.get_int64(), kFormat));
  }
  return read_as<LogHeader>("header", *header);
}

Result<LogLine> read_step(const json::object& object, const json::value& event) {
  LoggedStep step;
  const json::value* at = find(object, "at");
  const auto read_at = at == nullptr ? must_be("given") : get(*at, step.at);
  if (!read_at) return wrong_line("at" + read_at.error().message);
  if (find_array(object, "commands") == nullptr) return wrong_line("commands must be a list");
  if (const auto read = get(event, step.event); !read)
    return wrong_line("event" + read.error().message);
  return step;
}

std::string shortened(std::string text) {
  if (text.size() <= kShownBytesMax) return text;
  text.resize(complete_utf8_prefix(std::string_view(text).substr(0, kShownBytesMax)));
  return text + "…";
}

std::string shown(const json::value* value) {
  return value == nullptr ? "nothing" : shortened(to_text(*value));
}

std::optional<LineDifference> difference(const std::string& place, const json::value* logged,
                                         const json::value* made);

std::optional<LineDifference> difference(const std::string& place, const json::array& logged,
                                         const json::array& made) {
  for (std::size_t i = 0; i < std::max(logged.size(), made.size()); ++i) {
    auto found =
        difference(fmt::format("{}[{}]", place, i), logged.if_contains(i), made.if_contains(i));
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<LineDifference> difference(const std::string& place, const json::object& logged,
                                         const json::object& made) {
  const auto at = [&](std::string_view key) {
    const std::string inner = place.empty() ? std::string(key) : fmt::format("{}.{}", place, key);
    return difference(inner, find(logged, key), find(made, key));
  };
  for (const auto& [key, value] : made) {
    if (auto found = at(key)) return found;
  }
  for (const auto& [key, value] : logged) {
    if (auto found = at(key)) return found;
  }
  return std::nullopt;
}

std::optional<LineDifference> difference(const std::string& place, const json::value* logged,
                                         const json::value* made) {
  if (logged != nullptr && made != nullptr) {
    if (*logged == *made) return std::nullopt;
    if (logged->is_object() && made->is_object())
      return difference(place, logged->get_object(), made->get_object());
    if (logged->is_array() && made->is_array())
      return difference(place, logged->get_array(), made->get_array());
  }
  return LineDifference{place, shown(logged), shown(made)};
}

}  // namespace

Result<LogLine> read_log_line(std::string_view line) {
  const auto parsed = parse_json(line);
  if (!parsed) return wrong_line("it is not JSON");
  const json::object* object = parsed->if_object();
  if (object == nullptr) return wrong_line("it must be an object");
  if (const json::value* event = find(*object, "event")) return read_step(*object, *event);
  if (const json::value* record = find(*object, "record")) {
    LoggedRecord logged;
    const json::object* members = record->if_object();
    const json::value* query = members == nullptr ? nullptr : find(*members, "query");
    if (query == nullptr || !get(*query, logged.query)) return wrong_line("it names no query");
    return logged;
  }
  if (const json::value* format = find(*object, "log")) return read_header(*object, *format);
  if (const json::value* cut = find(*object, "cut")) return read_as<LogCut>("cut", *cut);
  if (find(*object, "end") != nullptr) return LogEnd{};
  return wrong_line("it has no event, record or end");
}

void EventLogWriter::header(const LogHeader& header) {
  const std::size_t begin = out_.size();
  out_ += R"({"log":)";
  put(out_, kFormat);
  out_ += R"(,"header":)";
  put(out_, header);
  seal(begin);
}

void EventLogWriter::step(TimePoint at, const Event& event, std::span<const Command> commands) {
  const std::size_t begin = out_.size();
  out_ += R"({"at":)";
  put(out_, at);
  out_ += R"(,"event":)";
  put(out_, event);
  out_ += R"(,"commands":[)";
  for (const Command& command : commands) {
    if (&command != commands.data()) out_ += ',';
    put(out_, command);
  }
  out_ += ']';
  ++events_;
  commands_ += commands.size();
  seal(begin);
}

void EventLogWriter::record(const RunRecord& record) {
  const std::size_t begin = out_.size();
  out_ += R"({"record":)";
  put(out_, record);
  seal(begin);
}

void EventLogWriter::cut(const std::string& reason) {
  const std::size_t begin = out_.size();
  out_ += R"({"cut":)";
  put(out_, LogCut{reason});
  seal(begin);
}

void EventLogWriter::end() {
  const std::size_t begin = out_.size();
  fmt::format_to(std::back_inserter(out_), R"({{"end":{{"events":{},"commands":{}}})", events_,
                 commands_);
  seal(begin);
}

void EventLogWriter::seal(std::size_t begin) {
  const std::uint64_t sum = sum_of(std::string_view(out_).substr(begin), ++lines_);
  fmt::format_to(std::back_inserter(out_), ",\"sum\":\"{:016x}\"}}\n", sum);
}

std::string words_of(const Event& event) {
  const auto words = []<class Held>(const Held& held) {
    std::string text(Members<Held>::kType);
    put(text += ' ', held);
    return shortened(std::move(text));
  };
  return std::visit(words, event);
}

std::optional<LineDifference> difference_of(std::string_view logged, std::string_view made) {
  if (logged == made) return std::nullopt;
  const auto one = parse_json(logged);
  const auto other = parse_json(made);
  std::optional<LineDifference> found;
  if (one && other) found = difference("", &*one, &*other);
  // The same values, written in another way.
  if (!found)
    found = LineDifference{"sum", "the line as it stands", "the same in other characters"};
  return found;
}

}  // namespace hf::wire
