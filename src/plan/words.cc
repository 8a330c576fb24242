#include "plan/words.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace hf {
namespace {

constexpr std::size_t kLabelBytesMax = 32;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point == 0 || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) point = 0xFFFD;
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xC0 | (point >> 6U));
    add(0x80 | (point & 0x3FU));
  } else if (point < 0x10000) {
    add(0xE0 | (point >> 12U));
    add(0x80 | ((point >> 6U) & 0x3FU));
    add(0x80 | (point & 0x3FU));
  } else {
    add(0xF0 | (point >> 18U));
    add(0x80 | ((point >> 12U) & 0x3FU));
    add(0x80 | ((point >> 6U) & 0x3FU));
    add(0x80 | (point & 0x3FU));
  }
}

// The code point of "#65" or "#x41".
std::optional<std::uint32_t> character_reference(std::string_view text) {
  const bool is_hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  text.remove_prefix(is_hex ? 2 : 1);
  if (text.empty()) return std::nullopt;
  std::uint32_t point = 0;
  for (const char c : text) {
    const char low = static_cast<char>(c | 0x20);
    std::uint32_t digit = 16;
    if (is_digit(c)) digit = static_cast<std::uint32_t>(c - '0');
    if (low >= 'a' && low <= 'f') digit = static_cast<std::uint32_t>(low - 'a' + 10);
    if (digit >= (is_hex ? 16U : 10U)) return std::nullopt;
    point = std::min<std::uint32_t>(point * (is_hex ? 16U : 10U) + digit, 0x110000);
  }
  return point;
}

// Digits only and not absurdly long, without leading zeros.
std::optional<std::string> as_integer(std::string_view word) {
  if (word.empty() || word.size() > 9 || !std::all_of(word.begin(), word.end(), is_digit)) {
    return std::nullopt;
  }
  while (word.size() > 1 && word.front() == '0') word.remove_prefix(1);
  return std::string(word);
}

std::optional<std::string> integer_by_name(std::string_view word) {
  constexpr std::array<std::string_view, 10> kWords = {"one", "two",   "three", "four", "five",
                                                       "six", "seven", "eight", "nine", "ten"};
  const auto* const found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end()) return std::nullopt;
  return std::to_string(found - kWords.begin() + 1);
}

// "3", "#3", "step3", "step_3" and "s3" all say 3.
std::optional<std::string> integer_in(std::string_view word) {
  for (const std::string_view prefix : {"subtask", "step", "task", "node", "id", "s", "t"}) {
    if (!word.starts_with(prefix)) continue;
    word.remove_prefix(prefix.size());
    break;
  }
  while (!word.empty() && is_one_of(word.substr(0, 1), {"_", "-", "#", ".", ":"})) {
    word.remove_prefix(1);
  }
  return as_integer(word);
}

std::string_view strip_marks(std::string_view word) {
  constexpr std::string_view kMarks = ".,:;()[]{}\"'`<>";
  while (!word.empty() && kMarks.contains(word.front())) word.remove_prefix(1);
  while (!word.empty() && kMarks.contains(word.back())) word.remove_suffix(1);
  return word;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "1-3" as 1, 2, 3.
std::vector<std::string> range_in(std::string_view word) {
  constexpr std::int64_t kLongest = 32;
  const std::size_t dash = word.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = as_integer(word.substr(0, dash));
  const auto last = as_integer(word.substr(dash + 1));
  if (!first || !last) return {};
  std::vector<std::string> labels;
  const std::int64_t end = std::min(*number_of(*last), *number_of(*first) + kLongest);
  for (std::int64_t i = *number_of(*first); i <= end; ++i) labels.push_back(std::to_string(i));
  return labels;
}

std::string clip(std::string_view text, std::size_t bytes_max) {
  text = text.substr(0, bytes_max);
  return std::string(text.substr(0, complete_utf8_prefix(text)));
}

std::string without_controls(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return clean;
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_thinking_name(std::string_view name) {
  return is_one_of(name, {"think", "thinking", "reasoning", "thought"});
}

Field field_of(std::string_view name) {
  std::string plain(name);
  std::erase_if(plain, [](char c) { return c == '_' || c == '-'; });
  if (is_one_of(plain, {"id", "stepid"})) return Field::kId;
  if (is_one_of(plain, {"role", "type"})) return Field::kRole;
  if (is_one_of(plain, {"task", "question", "description", "text"})) return Field::kTask;
  if (is_one_of(plain, {"rely", "relies", "relieson", "relyon", "depend", "depends", "dependson",
                        "dependency", "dependencies", "prerequisite", "prerequisites"})) {
    return Field::kRely;
  }
  if (is_one_of(plain, {"token", "tokens"})) return Field::kToken;
  if (plain == "difficulty") return Field::kDifficulty;
  return Field::kOther;
}

std::string decode_entities(std::string_view text) {
  constexpr std::size_t kLongest = 12;
  constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
  std::string out;
  while (!text.empty()) {
    const std::size_t start = std::min(text.find('&'), text.size());
    out += text.substr(0, start);
    text.remove_prefix(start);
    if (text.empty()) break;
    const std::size_t end = text.substr(0, kLongest).find(';');
    const std::string_view name =
        end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
    const auto* const named = std::find_if(kNamed.begin(), kNamed.end(),
                                           [&](const auto& entry) { return entry.first == name; });
    const auto point = name.starts_with('#') ? character_reference(name) : std::nullopt;
    if (named != kNamed.end()) {
      out += named->second;
    } else if (point) {
      append_utf8(out, *point);
    } else {
      out += '&';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string read_label(std::string_view text) {
  const std::string clean = without_controls(text);
  const std::vector<std::string_view> words = split(clean, " ");
  std::string joined;
  for (const std::string_view word : words) {
    const std::string_view plain = strip_marks(word);
    if (auto integer = integer_in(to_lower(plain))) return *integer;
    if (plain.empty()) continue;
    // "Two" is a number, "two and a half" is a name.
    const bool is_last = word.data() == words.back().data();
    const bool stands_alone = is_one_of(to_lower(joined), {"", "step", "subtask", "task", "id"});
    if (auto integer = integer_by_name(to_lower(plain)); integer && is_last && stands_alone) {
      return *integer;
    }
    if (!joined.empty()) joined += '-';
    joined += plain;
  }
  return clip(joined, kLabelBytesMax);
}

std::vector<std::string> read_labels(std::string_view text) {
  std::vector<std::string> labels;
  const auto add = [&](std::string label) {
    const bool is_new = std::find(labels.begin(), labels.end(), label) == labels.end();
    if (is_new && !label.empty()) labels.push_back(std::move(label));
  };
  const std::string clean = without_controls(text);
  for (const std::string_view word : split(clean, " ,;&|+")) {
    const std::string lower = to_lower(strip_marks(word));
    if (is_one_of(lower, {"and",     "or",       "the", "of",  "step", "steps", "task", "tasks",
                          "subtask", "subtasks", "id",  "ids", "none", "null",  "nil",  "nothing",
                          "no",      "n/a",      "na",  "-",   "--",   "–",     "—",    "#"})) {
      continue;
    }
    const auto range = range_in(lower);
    for (const std::string& label : range) add(label);
    if (range.empty()) add(read_label(word));
  }
  return labels;
}

std::optional<std::int64_t> number_of(std::string_view label) {
  const auto integer = as_integer(label);
  if (!integer) return std::nullopt;
  return first_number(*integer, 999'999'999);
}

std::int64_t first_number(std::string_view text, std::int64_t most) {
  const auto start = std::find_if(text.begin(), text.end(), is_digit);
  std::int64_t value = 0;
  for (auto at = start; at != text.end() && is_digit(*at); ++at) {
    value = std::min(value * 10 + (*at - '0'), most);
  }
  return value;
}

std::optional<Role> read_role(std::string_view text) {
  const std::string role = to_lower(trim(text));
  if (role.empty()) return std::nullopt;
  const auto is_like = [&](std::initializer_list<std::string_view> stems) {
    return std::any_of(stems.begin(), stems.end(),
                       [&](std::string_view stem) { return role.starts_with(stem); });
  };
  const auto shortens = [&](std::string_view word) { return word.starts_with(role); };
  if (shortens("explain") || is_like({"expla", "understand", "restat", "clarif", "interpret"})) {
    return Role::kExplain;
  }
  if (shortens("analyze") || is_like({"analy", "reason", "solve", "comput", "calculat", "research",
                                      "retriev", "verif", "check", "compar", "evaluat"})) {
    return Role::kAnalyze;
  }
  if (shortens("generate") ||
      is_like({"generat", "answer", "final", "conclu", "summar", "synth", "combin", "aggregat"})) {
    return Role::kGenerate;
  }
  return std::nullopt;
}

std::string read_task(std::string_view text, std::size_t bytes_max) {
  return clip(trim(without_controls(text)), bytes_max);
}

std::string task_key(std::string_view task) {
  while (!task.empty() &&
         (is_space(task.back()) || std::string_view(".?!:;,").contains(task.back()))) {
    task.remove_suffix(1);
  }
  std::string key;
  for (const char c : to_lower(task)) {
    if (!is_space(c)) {
      key += c;
    } else if (!key.empty() && key.back() != ' ') {
      key += ' ';
    }
  }
  return key;
}

}  // namespace hf
