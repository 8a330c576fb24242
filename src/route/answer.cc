#include "route/answer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/ascii.h"

namespace hf {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f\n";
constexpr std::string_view kMarkup = " \t\r\v\f\n*_`\"'$";

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_word(char c) {
  return is_letter(c) || is_digit(c);
}

std::string_view without_front(std::string_view text, std::string_view any_of) {
  text.remove_prefix(std::min(text.find_first_not_of(any_of), text.size()));
  return text;
}

std::string_view trim(std::string_view text) {
  text = without_front(text, kMarkup);
  const auto last = text.find_last_not_of(" \t\r\v\f\n*_`\"'$.,;:!?");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// Takes `prefix` (in lower case) off, whatever the case of the text.
bool take(std::string_view& text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (to_lower(text[i]) != prefix[i]) return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool take_any(std::string_view& text, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return take(text, prefix); });
}

bool take_word(std::string_view& text, std::string_view word) {
  std::string_view rest = text;
  if (!take(rest, word) || (!rest.empty() && is_word(rest.front()))) return false;
  text = rest;
  return true;
}

// ---- choices ----

// What is behind a letter if the letter is a choice: nothing, or what closes it.
bool closes_choice(std::string_view rest, bool is_capital) {
  if (rest.empty() || rest.front() == ')' || rest.front() == ']' || rest.front() == '}')
    return true;
  const bool is_apart = rest.size() == 1 || !is_word(rest[1]);
  if (rest.front() == '.' || rest.front() == ',' || rest.front() == ':' || rest.front() == ';' ||
      rest.front() == '*') {
    return is_apart;
  }
  if (rest.front() != ' ' || !is_capital) return false;
  rest = without_front(rest, kBlanks);
  return take_word(rest, "is") || take_word(rest, "because") || take(rest, "(") || take(rest, "- ");
}

// The letter if the text is, or begins with, a choice.
std::optional<char> choice_of(std::string_view text) {
  text = trim(text);
  constexpr std::array<std::string_view, 3> kNames{"option ", "choice ", "letter "};
  if (take_any(text, kNames)) text = without_front(text, kMarkup);
  constexpr std::array<std::string_view, 4> kWraps{"\\text{", "\\textbf{", "\\mathrm{",
                                                   "\\mathbf{"};
  take_any(text, kWraps);
  text = without_front(text, "([");
  if (text.empty() || !is_letter(text.front())) return std::nullopt;
  const char letter = static_cast<char>(to_lower(text.front()) - 'a' + 'A');
  if (!closes_choice(text.substr(1), letter == text.front())) return std::nullopt;
  return letter;
}

// ---- numbers ----

struct Number {
  std::size_t begin = 0;  // Of its first digit or point.
  std::size_t end = 0;
  std::string value;  // Normal form.
};

constexpr std::array<std::string_view, 6> kCurrencies{"$", "€", "£", "¥", "₹", "\\"};
constexpr std::array<std::string_view, 2> kMinuses{"-", "−"};

bool take_back(std::string_view& text, std::span<const std::string_view> suffixes) {
  for (const std::string_view suffix : suffixes) {
    if (!text.ends_with(suffix)) continue;
    text.remove_suffix(suffix.size());
    return true;
  }
  return false;
}

// Whether a minus stands before a number, with currency signs on either side of it.
bool is_negative(std::string_view before) {
  while (take_back(before, kCurrencies)) {
  }
  if (!take_back(before, kMinuses)) return false;
  while (take_back(before, kCurrencies)) {
  }
  return before.empty() || (!is_word(before.back()) && before.back() != ')');
}

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

std::string plain_decimal(std::string whole, std::string fraction, bool negative) {
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (whole.empty()) whole = "0";
  if (!fraction.empty()) whole += '.' + fraction;
  return negative && whole != "0" ? '-' + whole : whole;
}

// The number at `at`, where a digit or the point of a fraction is.
Number number_at(std::string_view text, std::size_t at) {
  Number number{.begin = at, .end = at, .value = {}};
  const std::size_t first = digits_at(text, at);
  std::string whole(text.substr(at, first));
  number.end += first;
  const auto is_group = [&] {
    return number.end < text.size() && text[number.end] == ',' &&
           digits_at(text, number.end + 1) == 3;
  };
  while (first >= 1 && first <= 3 && is_group()) {
    whole += text.substr(number.end + 1, 3);
    number.end += 4;
  }
  std::string fraction;
  if (number.end < text.size() && text[number.end] == '.') {
    const std::size_t count = digits_at(text, number.end + 1);
    fraction = text.substr(number.end + 1, count);
    number.end += count == 0 ? 0 : count + 1;
  }
  number.value =
      plain_decimal(std::move(whole), std::move(fraction), is_negative(text.substr(0, at)));
  return number;
}

// The next number at or behind `at`. Words with digits among letters ("H2O", "1e5") are none;
// what "/" or ":" joins ("1/2", "10:30") is one, as it is written.
std::optional<Number> next_number(std::string_view text, std::size_t at) {
  const auto is_point = [&](std::size_t i) {
    return text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]);
  };
  while (at < text.size()) {
    if (is_letter(text[at])) {
      while (at < text.size() && is_word(text[at])) ++at;
    } else if (is_digit(text[at]) || is_point(at)) {
      Number number = number_at(text, at);
      const auto joins = [&] {
        return number.end + 1 < text.size() &&
               (text[number.end] == '/' || text[number.end] == ':') &&
               is_digit(text[number.end + 1]);
      };
      while (joins()) {
        const Number next = number_at(text, number.end + 1);
        (number.value += text[number.end]) += next.value;
        number.end = next.end;
      }
      at = number.end;
      while (at < text.size() && is_letter(text[at])) ++at;
      if (at == number.end || at == text.size() || !is_digit(text[at])) return number;
      while (at < text.size() && is_word(text[at])) ++at;
    } else {
      ++at;
    }
  }
  return std::nullopt;
}

// Whether a calculation goes on behind a number.
bool is_operand(std::string_view rest) {
  rest = without_front(rest, kBlanks);
  constexpr std::array<std::string_view, 15> kOperators{
      "+", "-",       "*",      "/",  "^",      "=",     "×",     "÷",
      "−", "\\times", "\\cdot", "x ", "times ", "plus ", "minus "};
  if (!take_any(rest, kOperators)) return false;
  do {
    rest = without_front(rest, " \t([{");
  } while (take_any(rest, kCurrencies));
  return !rest.empty() && is_digit(rest.front());
}

// What is behind the last "=" or " is " that has a number behind it.
std::string_view behind_equals(std::string_view text) {
  std::size_t begin = 0;
  std::size_t candidate = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=') {
      candidate = i + 1;
    } else if (text[i] == ' ' && (text.substr(i, 4) == " is " || text.substr(i, 5) == " are ")) {
      candidate = i + 3;
    } else if (is_digit(text[i])) {
      begin = candidate;
    }
  }
  return text.substr(begin);
}

// A longer one is none.
std::string value_of(std::optional<Number> number) {
  if (!number || number->value.size() > kAnswerBytesMax) return {};
  return std::move(number->value);
}

// The number that a line begins with, unless a calculation with it follows.
std::string leading_number(std::string_view line) {
  auto first = next_number(line, 0);
  if (!first || std::ranges::any_of(line.substr(0, first->begin), is_word)) return {};
  return is_operand(line.substr(first->end)) ? std::string() : value_of(std::move(first));
}

// The number that a line states; "" if it has none.
std::string stated_number(std::string_view line) {
  std::string leading = line.contains('=') ? std::string() : leading_number(line);
  if (!leading.empty()) return leading;
  line = behind_equals(line);
  leading = leading_number(line);
  return leading.empty() ? last_number(line) : leading;
}

// ---- texts ----

// In lower case with single blanks; "" if that is too long.
std::string short_text(std::string_view text) {
  std::string normal;
  bool is_apart = false;
  for (const char c : trim(text)) {
    if (kBlanks.contains(c)) {
      is_apart = true;
      continue;
    }
    if (is_apart) normal += ' ';
    is_apart = false;
    normal += to_lower(c);
    if (normal.size() > kAnswerBytesMax) return {};
  }
  return normal;
}

// The normal form of what a marked line states.
std::string normal_form(std::string_view line) {
  if (const auto letter = choice_of(line)) return std::string(1, *letter);
  std::string number = stated_number(line);
  return number.empty() ? short_text(line) : number;
}

// ---- marks ----

// Whether there is nothing but a number or a letter, as behind "####"; else it is a heading.
bool is_bare(std::string_view value) {
  value = trim(value);
  if (value.size() <= 3 && choice_of(value)) return true;
  const auto number = next_number(value, 0);
  return number && std::ranges::none_of(value.substr(0, number->begin), is_word) &&
         std::ranges::none_of(value.substr(number->end), is_word);
}

// What follows a mark at the line's begin; nullopt if there is none.
std::optional<std::string_view> behind_mark(std::string_view line) {
  const std::string_view whole = without_front(line, kBlanks);
  std::string_view rest = without_front(whole, " \t*_`>#-");
  bool is_final = false;
  constexpr std::array<std::string_view, 7> kBefore{"so ",  "thus ",    "therefore ", "hence ",
                                                    "the ", "correct ", "my "};
  for (bool more = true; more;) {
    more = take_any(rest, kBefore);
    if (take(rest, "final ")) more = is_final = true;
    if (take(rest, "so, ") || take(rest, "thus, ") || take(rest, "therefore, ")) more = true;
  }
  if (take_word(rest, "answer")) {
    rest = without_front(rest, " \t*_`");
    if (take(rest, ":") || take(rest, "=")) return rest;
    if (take_word(rest, "is")) {
      rest = without_front(rest, " \t*_`");
      take(rest, ":");
      return rest;
    }
    if (is_final) return rest;
  }
  if (std::string_view value = whole; take(value, "####") && is_bare(value)) return value;
  return std::nullopt;
}

// What is in the last \boxed{…} of the line.
std::optional<std::string_view> boxed(std::string_view line) {
  constexpr std::string_view kBox = "\\boxed{";
  const auto at = line.rfind(kBox);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + kBox.size());
  int depth = 1;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '{') ++depth;
    if (line[i] == '}' && --depth == 0) return line.substr(0, i);
  }
  return line;
}

std::string_view take_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}

// What the last mark marks, on its line or, if nothing is there, on the next.
std::optional<std::string_view> marked(std::string_view text) {
  std::optional<std::string_view> found;
  bool is_open = false;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (const auto box = boxed(line)) {
      found = box;
      is_open = false;
    } else if (const auto behind = behind_mark(line)) {
      is_open = trim(*behind).empty();
      if (!is_open || !found) found = behind;
    } else if (is_open && !trim(line).empty()) {
      found = line;
      is_open = false;
    }
  }
  return found;
}

// What is behind the last "answer is" or "answer:" within a line.
std::optional<std::string_view> mentioned(std::string_view text) {
  constexpr std::array<std::string_view, 2> kMentions{"answer is", "answer:"};
  std::optional<std::string_view> found;
  while (!text.empty()) {
    for (std::string_view line = take_line(text); !line.empty(); line.remove_prefix(1)) {
      std::string_view rest = line;
      if (!take_any(rest, kMentions)) continue;
      rest = without_front(rest, " \t\r*_`\"'$.,;:!?");
      if (!rest.empty()) found = rest;
    }
  }
  return found;
}

}  // namespace

std::string last_number(std::string_view text) {
  std::optional<Number> last;
  for (auto number = next_number(text, 0); number; number = next_number(text, number->end)) {
    last = number;
  }
  return value_of(std::move(last));
}

std::string final_answer(std::string_view text) {
  auto place = marked(text);
  if (!place) place = mentioned(text);
  if (place) {
    std::string normal = normal_form(*place);
    if (!normal.empty()) return normal;
  }
  text = without_front(text, kBlanks);
  text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
  const auto last_break = text.rfind('\n');
  const bool is_one_line = last_break == std::string_view::npos;
  const std::string_view last_line = is_one_line ? text : text.substr(last_break + 1);
  // Of several lines a letter alone: a list of the choices may end the text, too.
  if ((is_one_line && !place) || trim(last_line).size() <= 3) {
    if (const auto letter = choice_of(last_line)) return std::string(1, *letter);
  }
  std::string number = last_number(text);
  if (!number.empty()) return number;
  return place ? std::string() : short_text(text);
}

}  // namespace hf
