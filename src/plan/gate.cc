#include "plan/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "plan/words.h"

namespace hf {
namespace {

constexpr std::size_t kManyWords = 25;      // With at least two numbers.
constexpr std::size_t kVeryManyWords = 80;  // With or without.

constexpr std::array<std::string_view, 18> kNumberWords = {
    "two",    "three",  "four",  "five",  "six",  "seven", "eight",  "nine",   "ten",
    "eleven", "twelve", "dozen", "twice", "half", "third", "double", "triple", "quarter"};

constexpr std::array<std::string_view, 7> kStages = {
    " and then ",    " after that",   " afterwards", " followed by ",
    " and finally ", " step by step", " as well as "};

constexpr std::array<std::string_view, 10> kComparisons = {
    " compare ", " compared ",           " comparison ",          " versus ",       " vs ",
    " vs. ",     " difference between ", " differences between ", " pros and cons", " trade-off"};

// What the rule looks at. Capital letters with a bracket are the options of one question, not
// parts.
struct Signs {
  std::size_t words = 0;
  std::size_t numbers = 0;
  std::size_t questions = 0;
  std::size_t facts = 0;  // Sentences with a number.
  std::size_t parts = 0;  // "1.", "2)", "(a)", "b)" at the start of a word.
};

bool is_part(std::string_view word) {
  const bool is_bracketed = word.starts_with('(');
  if (is_bracketed) word.remove_prefix(1);
  if (word.size() != 2) return false;
  const bool is_name = is_digit(word[0]) || (word[0] >= 'a' && word[0] <= 'h');
  return is_name && (word[1] == ')' || (word[1] == '.' && is_digit(word[0]) && !is_bracketed));
}

bool is_number(std::string_view word) {
  if (std::any_of(word.begin(), word.end(), is_digit)) return true;
  while (!word.empty() && !is_letter(word.back())) word.remove_suffix(1);
  return std::find(kNumberWords.begin(), kNumberWords.end(), to_lower(word)) != kNumberWords.end();
}

Signs signs_of(std::string_view question) {
  Signs signs;
  bool has_number = false;
  while (true) {
    question = trim(question);
    if (question.empty()) break;
    const auto end = std::find_if(question.begin(), question.end(), is_space);
    const std::string_view word(question.begin(), end);
    question.remove_prefix(word.size());
    ++signs.words;
    if (is_part(word)) {
      ++signs.parts;
      continue;
    }
    if (is_number(word)) {
      ++signs.numbers;
      has_number = true;
    }
    if (word.ends_with('?')) ++signs.questions;
    if (word.ends_with('?') || word.ends_with('!') || word.ends_with('.')) {
      signs.facts += has_number ? 1 : 0;
      has_number = false;
    }
  }
  signs.facts += has_number ? 1 : 0;
  return signs;
}

// The text in lower case with single spaces, so that phrases can be searched for.
std::string plain(std::string_view text) {
  std::string line = " ";
  for (const char c : to_lower(text)) {
    if (!is_space(c)) {
      line += c;
    } else if (line.back() != ' ') {
      line += ' ';
    }
  }
  return line + ' ';
}

template <std::size_t kSize>
std::string_view first_of(std::string_view text,
                          const std::array<std::string_view, kSize>& phrases) {
  const auto* const found =
      std::find_if(phrases.begin(), phrases.end(),
                   [&](std::string_view phrase) { return text.contains(phrase); });
  return found == phrases.end() ? std::string_view() : trim(*found);
}

GateVerdict look_at(std::string_view question) {
  const Signs signs = signs_of(question);
  const std::string text = plain(question);
  if (signs.questions >= 2) return {true, fmt::format("{} questions", signs.questions)};
  if (signs.parts >= 2) return {true, fmt::format("{} numbered parts", signs.parts)};
  if (signs.facts >= 2) return {true, fmt::format("{} sentences with numbers", signs.facts)};
  if (const auto phrase = first_of(text, kStages); !phrase.empty()) {
    return {true, fmt::format("several stages (\"{}\")", phrase)};
  }
  if (const auto phrase = first_of(text, kComparisons); !phrase.empty()) {
    return {true, fmt::format("a comparison (\"{}\")", phrase)};
  }
  if (signs.words >= kManyWords && signs.numbers >= 2) {
    return {true, fmt::format("{} words with {} numbers", signs.words, signs.numbers)};
  }
  if (signs.words >= kVeryManyWords) return {true, fmt::format("{} words", signs.words)};
  return {false, fmt::format("short single question of {} words", signs.words)};
}

}  // namespace

GateVerdict gate(std::string_view question, PlanMode mode) {
  switch (mode) {
    case PlanMode::kAlways:
      return {true, "a plan was asked for"};
    case PlanMode::kNever:
      return {false, "no plan was asked for"};
    case PlanMode::kGiven:
      return {true, "the plan is given"};
    case PlanMode::kAuto:
      break;
  }
  return look_at(question);
}

}  // namespace hf
