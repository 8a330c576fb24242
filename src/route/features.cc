#include "route/features.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/ascii.h"
#include "learn/split.h"

namespace hf {
namespace {

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

float number(double value) {
  return static_cast<float>(value);
}

float flag(bool is_set) {
  return is_set ? 1.0F : 0.0F;
}

float log1(double count) {
  return number(std::log1p(std::max(count, 0.0)));
}

}  // namespace

TaskFeatures FeatureReader::read(std::string_view text, std::uint8_t difficulty,
                                 std::string_view category) {
  TaskFeatures features;
  features.difficulty = difficulty;
  if (!category.empty()) features.category = learn::category_key(category);
  std::size_t foreign = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Around here(text, i);
    if (!is_space(here[0]) && is_space(here[-1])) count(features.words);
    if (is_digit(here[0]) && !is_digit(here[-1])) count(features.numbers);
    if (here.is_operator()) count(features.operators);
    if (here.opens_choice()) count(features.choices);
    if (here.is_code()) count(features.code);
    if (static_cast<unsigned char>(here[0]) >= 0x80) ++foreign;
  }
  if (!text.empty()) features.foreign = static_cast<std::uint8_t>(foreign * 255 / text.size());
  if (model_ != nullptr) {
    const auto terms = terms_.read(text, category);
    features.edge_text = model_->edge_text.score(terms);
    features.cloud_text = model_->cloud_text.score(terms);
  }
  return features;
}

PriorFeatures prior_features(const RouteInput& input) {
  const TaskFeatures& task = input.features;
  const Surroundings& around = input.around;
  const double inputs = std::max(1.0, static_cast<double>(around.inputs));
  return {
      number(task.edge_text),
      number(task.cloud_text),
      log1(task.words),
      log1(task.numbers),
      log1(task.operators),
      log1(task.choices),
      flag(task.choices > 0),
      log1(task.code),
      number(task.foreign / 255.0),
      number(task.difficulty / 9.0),
      flag(task.difficulty > 0),
      flag(input.role == Role::kExplain),
      flag(input.role == Role::kGenerate),
      flag(input.is_whole_question),
      log1(input.depth),
      log1(input.dependants),
      log1(static_cast<double>(input.expected.count())),
      number(around.inputs_from_edge / inputs),
      number(around.input_chance),
      number(around.input_chance * around.input_chance),
      log1(static_cast<double>(input.slack.count())),
  };
}

AttemptFeatures attempt_features(const RouteInput& input, const Attempt& attempt) {
  AttemptFeatures all{};
  const PriorFeatures prior = prior_features(input);
  std::ranges::copy(prior, all.begin());
  const Signals& signals = attempt.signals;
  const double voters = std::max(1.0, static_cast<double>(attempt.voters));
  const float length = log1(static_cast<double>(attempt.completion.count()));
  const float share = number(attempt.agreeing / voters);
  const bool has_voters = attempt.voters > 0;
  const std::array<float, kAttemptFeatures - kPriorFeatures> own = {
      flag(signals.mean_logprob.has_value()),
      number(std::max(signals.mean_logprob.value_or(0), -10.0)),
      flag(signals.low_logprob.has_value()),
      number(std::max(signals.low_logprob.value_or(0), -20.0)),
      flag(signals.margin.has_value()),
      number(signals.margin.value_or(0)),
      length,
      length * length,
      flag(attempt.was_cut),
      flag(attempt.has_answer),
      flag(has_voters),
      has_voters ? share : 0,
      has_voters ? share * share : 0,
      flag(has_voters && attempt.agreeing == 0),
      log1(attempt.distinct),
      number(attempt.kept_share),
      number(attempt.kept_share * attempt.kept_share),
      flag(attempt.is_first_kept),
      log1(static_cast<double>(attempt.voters)),
  };
  std::ranges::copy(own, all.begin() + kPriorFeatures);
  return all;
}

}  // namespace hf
