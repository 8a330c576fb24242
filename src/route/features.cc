#include "route/features.h"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace hf {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void count(std::uint16_t& counter) {
  if (counter < std::numeric_limits<std::uint16_t>::max()) ++counter;
}

// A letter that names a choice: four to ten options are usual.
bool is_choice_letter(char c) {
  return (c >= 'a' && c <= 'j') || (c >= 'A' && c <= 'J');
}

// One position of the text; outside of it there is a line break.
class Around {
 public:
  Around(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  [[nodiscard]] char operator[](std::ptrdiff_t offset) const {
    const std::size_t index = at_ + static_cast<std::size_t>(offset);  // Wraps below the start.
    return index < text_.size() ? text_[index] : '\n';
  }

  // "(b)" anywhere after a space, "A)" after a space, "A. " at the start of a line.
  [[nodiscard]] bool opens_choice() const {
    if (!is_space((*this)[-1])) return false;
    if ((*this)[0] == '(') return is_choice_letter((*this)[1]) && (*this)[2] == ')';
    if (!is_choice_letter((*this)[0])) return false;
    return (*this)[1] == ')' || ((*this)[-1] == '\n' && (*this)[1] == '.' && (*this)[2] == ' ');
  }

  // A hyphen or slash between letters joins words.
  [[nodiscard]] bool is_operator() const {
    const char c = (*this)[0];
    if (c == '-' || c == '/') return !(is_letter((*this)[-1]) && is_letter((*this)[1]));
    return c == '+' || c == '*' || c == '=' || c == '<' || c == '>' || c == '%' || c == '^';
  }

  [[nodiscard]] bool is_code() const {
    const char c = (*this)[0];
    if (c == ';') return (*this)[1] == '\n' || (*this)[1] == '\r';
    return c == '`' || c == '{' || c == '}' || is_keyword("def") || is_keyword("class") ||
           is_keyword("return");
  }

 private:
  [[nodiscard]] bool is_keyword(std::string_view word) const {
    if (!text_.substr(at_).starts_with(word)) return false;
    const char after = (*this)[static_cast<std::ptrdiff_t>(word.size())];
    const auto joins = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
    return !joins((*this)[-1]) && !joins(after);
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

TaskFeatures task_features(std::string_view text, std::uint8_t difficulty) {
  TaskFeatures features;
  features.difficulty = difficulty;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Around here(text, i);
    if (!is_space(here[0]) && is_space(here[-1])) count(features.words);
    if (is_digit(here[0]) && !is_digit(here[-1])) count(features.numbers);
    if (here.is_operator()) count(features.operators);
    if (here.opens_choice()) count(features.choices);
    if (here.is_code()) count(features.code);
  }
  return features;
}

}  // namespace hf
