#include "wire/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/utf8.h"

namespace hf::wire {
namespace {

constexpr std::size_t kDepthMax = 64;
// Between these a number is written without an exponent.
constexpr double kPlainMin = 1e-5;
constexpr double kPlainMax = 1e15;
constexpr double kIntegerEnd = 0x1p63;

void put_escaped(std::string& out, std::string_view text) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out += text.substr(done, i - done);
    done = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
  }
  out += text.substr(done);
}

void put_string(std::string& out, std::string_view text) {
  out += '"';
  if (is_utf8(text)) {
    put_escaped(out, text);
  } else {
    put_escaped(out, repair_utf8(text));
  }
  out += '"';
}

void put_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const double size = std::abs(number);
  const bool is_plain = size == 0 || (size >= kPlainMin && size < kPlainMax);
  char text[64];
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  out.append(text, std::to_chars(text, text + sizeof text, number, format).ptr);
}

class Writer {
 public:
  Writer(std::string& out, Layout layout) : out_(out), is_indented_(layout == Layout::kIndented) {}

  void put(const json::value& value) {
    switch (value.kind()) {
      case json::kind::null:
        out_ += "null";
        break;
      case json::kind::bool_:
        out_ += value.get_bool() ? "true" : "false";
        break;
      case json::kind::int64:
        out_ += fmt::format_int(value.get_int64()).c_str();
        break;
      case json::kind::uint64:
        out_ += fmt::format_int(value.get_uint64()).c_str();
        break;
      case json::kind::double_:
        put_double(out_, value.get_double());
        break;
      case json::kind::string:
        put_string(out_, value.get_string());
        break;
      case json::kind::array:
        put_array(value.get_array());
        break;
      case json::kind::object:
        put_object(value.get_object());
        break;
    }
  }

 private:
  void put_array(const json::array& array) {
    out_ += '[';
    ++level_;
    bool is_first = true;
    for (const json::value& value : array) {
      separate(is_first);
      put(value);
    }
    --level_;
    if (!is_first) new_line();
    out_ += ']';
  }

  void put_object(const json::object& object) {
    out_ += '{';
    ++level_;
    bool is_first = true;
    for (const auto& [key, value] : object) {
      separate(is_first);
      put_string(out_, key);
      out_ += is_indented_ ? ": " : ":";
      put(value);
    }
    --level_;
    if (!is_first) new_line();
    out_ += '}';
  }

  void separate(bool& is_first) {
    if (!is_first) out_ += ',';
    is_first = false;
    new_line();
  }

  void new_line() {
    if (!is_indented_) return;
    out_ += '\n';
    out_.append(2 * level_, ' ');
  }

  std::string& out_;
  const bool is_indented_;
  std::size_t level_ = 0;
};

// Where in the text, as an editor shows it.
std::string place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t last = before.rfind('\n');
  const std::size_t column = before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
  return fmt::format("line {}, column {}", line, column);
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::parser parser({}, options);
  json::error_code error;
  const std::size_t used = parser.write_some(text.data(), text.size(), error);
  if (!error && used == text.size()) return parser.release();
  const std::string why = error ? error.message() : "there is more text after the value";
  return fail(Code::kInvalidInput,
              fmt::format("The JSON is not valid at {}: {}.", place(text, used), why));
}

std::string to_text(const json::value& value, Layout layout) {
  std::string out;
  Writer(out, layout).put(value);
  return out;
}

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

const json::object* find_object(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  return value ? value->if_object() : nullptr;
}

const json::array* find_array(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  return value ? value->if_array() : nullptr;
}

std::optional<std::string_view> find_string(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  if (!value || !value->is_string()) return std::nullopt;
  return value->get_string();
}

std::optional<double> find_number(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  if (!value || !value->is_number()) return std::nullopt;
  const auto number = value->to_number<double>();
  if (!std::isfinite(number)) return std::nullopt;  // Such as 1e999.
  return number;
}

std::optional<bool> find_bool(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  if (!value || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

std::optional<std::int64_t> find_integer(const json::object& object, std::string_view key) {
  const json::value* const value = find(object, key);
  if (!value) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64() && std::in_range<std::int64_t>(value->get_uint64())) {
    return static_cast<std::int64_t>(value->get_uint64());
  }
  if (!value->is_double()) return std::nullopt;
  const double number = value->get_double();
  if (!(number >= -kIntegerEnd && number < kIntegerEnd) || number != std::trunc(number)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace hf::wire
