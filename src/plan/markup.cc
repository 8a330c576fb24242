#include "plan/markup.h"

#include <algorithm>
#include <utility>

#include "plan/words.h"

namespace hf {
namespace {

constexpr std::size_t kNameBytesMax = 32;

bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == ':' || c == '.' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool ends_name(char c) {
  return is_space(c) || c == '>' || c == '/';
}

std::size_t length_of_character(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

bool is_smart_double(std::string_view c) {
  return c == "“" || c == "”" || c == "„";
}
bool is_smart_single(std::string_view c) {
  return c == "‘" || c == "’";
}

}  // namespace

void MarkupScanner::push(std::string_view text) {
  while (!text.empty() && end_ == End::kNone) {
    const std::size_t skipped = skippable(text);
    const std::size_t length =
        skipped > 0 ? skipped : std::min(length_of_character(text.front()), text.size());
    if (is_open_ || step_) count(length);
    if (skipped > 0 && state_ == State::kText && !is_open_) look_for_fence(text.substr(0, length));
    if (end_ != End::kNone) return;
    if (skipped == 0) take(text.substr(0, length));
    text.remove_prefix(length);
  }
}

void MarkupScanner::finish() {
  if (end_ != End::kNone || !step_) return;
  if (is_quote_closed_) end_value();
  end_step(RawStep::Ending::kCut);
}

// Bytes that change nothing, so that long prose costs a search for one character only.
std::size_t MarkupScanner::skippable(std::string_view text) const {
  const bool is_prose = state_ == State::kText && !step_;
  if (!is_prose && !(state_ == State::kThink && tag_.empty())) return 0;
  return std::min(text.find('<'), text.size());
}

void MarkupScanner::count(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= plan_bytes_max_) return;
  if (is_open_) {
    finish();
    end_ = End::kOverLimit;
    return;
  }
  // Only a plan matters from here on, and it may just have begun.
  is_over_ = true;
  step_.reset();
  if (state_ != State::kMarkup && state_ != State::kThink && state_ != State::kSkip) {
    state_ = state_ == State::kInnerTag ? State::kMarkup : State::kText;
  }
}

void MarkupScanner::take(Char c) {
  switch (state_) {
    case State::kText:
      return in_text(c);
    case State::kMarkup:
      return in_markup(c);
    case State::kChildTag:
      return in_child_tag(c);
    case State::kPlanTag:
      return in_plan_tag(c);
    case State::kSkip:
      return in_skip(c);
    case State::kThink:
      return in_think(c);
    case State::kGap:
      return in_gap(c);
    case State::kName:
    case State::kNameGap:
      return in_name(c);
    case State::kEquals:
      return in_equals(c);
    case State::kSlash:
      return in_slash(c);
    case State::kInnerTag:
      return in_inner_tag(c);
    case State::kBefore:
      return in_before(c);
    case State::kQuoted:
      return in_quoted(c);
    case State::kBare:
      return in_bare(c);
  }
}

// ---- Text and tags ----

void MarkupScanner::in_text(Char c) {
  if (c == "<") {
    tag_ = c;
    state_ = State::kMarkup;
  } else if (step_) {
    body_ += c;
  }
}

void MarkupScanner::not_markup(Char c) {
  if (step_) body_ += tag_;
  state_ = State::kText;
  in_text(c);
}

void MarkupScanner::in_markup(Char c) {
  const char ch = c.front();
  if (tag_.size() == 1) {
    if (ch != '/' && ch != '!' && ch != '?' && !is_letter(ch)) return not_markup(c);
    tag_ += c;
    return;
  }
  if (tag_[1] == '!' || tag_[1] == '?') return in_declaration(c);

  const bool is_end = tag_[1] == '/';
  const std::string name = to_lower(trim(std::string_view(tag_).substr(is_end ? 2 : 1)));
  if (is_name_char(ch) && tag_.size() < kNameBytesMax && !is_space(tag_.back())) {
    tag_ += c;
  } else if (is_end && !name.empty() && (ch == '>' || (is_space(ch) && tag_.size() < 64))) {
    tag_ += c;
    if (ch == '>') on_end_tag(name);
  } else if (!is_end && ends_name(ch)) {
    on_start_tag(name, c);
  } else {
    not_markup(c);
  }
}

void MarkupScanner::in_declaration(Char c) {
  constexpr std::string_view kComment = "<!--";
  constexpr std::string_view kCdata = "<![CDATA[";
  if (tag_.size() == 2 && is_letter(c.front())) {
    return begin_skip(tag_[1] == '?' ? "?>" : ">", false);
  }
  const std::string longer = tag_ + std::string(c);
  if (longer == kComment) return begin_skip("-->", false);
  if (longer == kCdata) return begin_skip("]]>", true);
  if (!kComment.starts_with(longer) && !kCdata.starts_with(longer)) return not_markup(c);
  tag_ = longer;
}

void MarkupScanner::on_start_tag(std::string_view name, Char c) {
  if (name == "plan") {
    open_plan();
    in_plan_tag(c);
  } else if (name == "step" && (is_open_ || !is_over_)) {
    begin_step();
    in_gap(c);
  } else if (is_thinking_name(name) && c != "/") {
    tag_.clear();
    state_ = State::kThink;
  } else if (step_ && field_of(name) != Field::kOther) {
    field_ = field_of(name);
    state_ = State::kChildTag;
    in_child_tag(c);
  } else {
    not_markup(c);
  }
}

void MarkupScanner::on_end_tag(std::string_view name) {
  state_ = State::kText;
  if (name == "plan" && is_open_) {
    close_plan();
  } else if (name == "step" && step_) {
    end_step(RawStep::Ending::kClosed);
  } else if (is_thinking_name(name) && !is_open_) {
    step_.reset();
    sink_.on_thought();
  } else if (step_ && child_ != Field::kOther && field_of(name) == child_) {
    set(child_, body_);
    child_ = Field::kOther;
    body_.clear();
  } else if (step_) {
    body_ += tag_;
  }
}

void MarkupScanner::in_child_tag(Char c) {
  const bool is_empty = tag_.ends_with('/');
  if (c == ">") {
    if (child_ != Field::kOther) set(child_, body_);
    body_.clear();
    child_ = is_empty ? Field::kOther : field_;
    if (is_empty) set(field_, "");
    state_ = State::kText;
  } else if ((c == "/" && !is_empty) || (is_space(c.front()) && tag_.size() < 64)) {
    tag_ += c;
  } else {
    not_markup(c);
  }
}

void MarkupScanner::in_plan_tag(Char c) {
  if (c == ">") {
    state_ = State::kText;
    if (tag_ == "/") close_plan();
  } else if (c == "<") {
    in_text(c);
  } else {
    tag_ = c;
  }
}

void MarkupScanner::begin_skip(std::string_view until, bool is_cdata) {
  until_ = until;
  is_cdata_ = is_cdata;
  tag_.clear();
  state_ = State::kSkip;
}

void MarkupScanner::in_skip(Char c) {
  const bool is_body = is_cdata_ && step_;
  if (is_body) body_ += c == "&" ? "&amp;" : c;  // Not an entity here; it is decoded later.
  if (tag_.size() == until_.size()) tag_.erase(0, 1);
  tag_ += c.back();
  if (tag_ != until_) return;
  if (is_body) body_.resize(body_.size() - until_.size());
  state_ = State::kText;
}

void MarkupScanner::in_think(Char c) {
  if (c == "<") {
    tag_ = c;
  } else if (!tag_.empty()) {
    tag_ += c;
    const std::string tag = to_lower(tag_);
    if (c == ">" && tag.starts_with("</") &&
        is_thinking_name(std::string_view(tag).substr(2, tag.size() - 3))) {
      state_ = State::kText;
    }
    if (c == ">" || tag_.size() > kNameBytesMax) tag_.clear();
  }
}

void MarkupScanner::open_plan() {
  state_ = State::kPlanTag;
  tag_.clear();
  if (!is_open_) {
    step_.reset();
    is_open_ = true;
    bytes_ = 0;
    sink_.on_plan_opened();
  } else {
    if (step_) end_step(RawStep::Ending::kUnclosed);
    state_ = State::kPlanTag;
    if (steps_in_plan_ > 0) ++nested_;
  }
}

void MarkupScanner::close_plan() {
  if (step_) end_step(RawStep::Ending::kUnclosed);
  if (nested_ > 0) {
    --nested_;
  } else {
    end_ = End::kClosed;
  }
}

// ---- Inside a step's tag ----

void MarkupScanner::begin_step() {
  if (step_) end_step(RawStep::Ending::kUnclosed);
  step_.emplace();
  in_body_ = false;
  child_ = Field::kOther;
  body_.clear();
  has_value_ = false;
  is_quote_closed_ = false;
  held_.clear();
  state_ = State::kGap;
}

void MarkupScanner::begin_body() {
  in_body_ = true;
  state_ = State::kText;
}

void MarkupScanner::end_step(RawStep::Ending ending) {
  if (in_body_ && ending != RawStep::Ending::kCut) {
    if (child_ != Field::kOther) set(child_, body_);
    if (child_ == Field::kOther && !trim(body_).empty()) set(Field::kTask, body_);
  }
  RawStep step = *std::exchange(step_, std::nullopt);
  step.ending = ending;
  state_ = State::kText;
  is_quote_closed_ = false;
  if (is_open_) ++steps_in_plan_;
  sink_.on_step(step);
}

void MarkupScanner::set(Field field, std::string_view raw) {
  if (field == Field::kOther) return;
  auto& value = step_->fields[static_cast<std::size_t>(field)];
  if (!value) value = decode_entities(raw);
}

void MarkupScanner::begin_value(Quote quote) {
  has_value_ = true;
  is_quote_closed_ = false;
  quote_ = quote;
  if (quote == Quote::kSmartDouble || quote == Quote::kSmartSingle) step_->has_smart_quotes = true;
  value_.clear();
  held_.clear();
  state_ = quote == Quote::kNone ? State::kBare : State::kQuoted;
}

void MarkupScanner::end_value() {
  if (has_value_) set(field_, value_);
  has_value_ = false;
  is_quote_closed_ = false;
  value_.clear();
  held_.clear();
}

// What was read ahead turned out to be part of the value, or junk if there is none.
void MarkupScanner::not_the_end(Char c) {
  is_quote_closed_ = false;
  if (!has_value_) {
    held_.clear();
    return in_gap(c);
  }
  value_ += held_;
  held_.clear();
  state_ = quote_ == Quote::kNone ? State::kBare : State::kQuoted;
  take(c);
}

void MarkupScanner::in_gap(Char c) {
  const char ch = c.front();
  state_ = State::kGap;
  if (is_space(ch) || ch == ',') {
    held_ += c;
  } else if (ch == '>') {
    end_value();
    begin_body();
  } else if (ch == '/') {
    held_ += c;
    state_ = State::kSlash;
  } else if (ch == '<') {
    held_ += c;
    tag_ = c;
    state_ = State::kInnerTag;
  } else if (is_letter(ch) || ch == '_') {
    held_ += c;
    name_ = c;
    state_ = State::kName;
  } else if (has_value_) {
    not_the_end(c);
  }
}

void MarkupScanner::in_name(Char c) {
  const char ch = c.front();
  if (ch == '=') {
    if (has_value_ && field_of(to_lower(name_)) == Field::kOther) {
      held_ += c;
      state_ = State::kEquals;
      return;
    }
    end_value();
    field_ = field_of(to_lower(name_));
    state_ = State::kBefore;
  } else if (is_space(ch)) {
    held_ += c;
    state_ = State::kNameGap;
  } else if (state_ == State::kName && is_name_char(ch) && name_.size() < kNameBytesMax) {
    held_ += c;
    name_ += c;
  } else if (state_ == State::kNameGap && has_value_ && quote_ == Quote::kNone) {
    value_ += held_;  // One more word of a bare value; an attribute may follow here as well.
    held_.clear();
    in_gap(c);
  } else {
    not_the_end(c);
  }
}

// An unknown name ends a value only if a quote follows its '='.
void MarkupScanner::in_equals(Char c) {
  if (is_space(c.front())) {
    held_ += c;
  } else if (c == "\"" || c == "'") {
    end_value();
    field_ = Field::kOther;
    in_before(c);
  } else {
    not_the_end(c);
  }
}

void MarkupScanner::in_slash(Char c) {
  if (c == ">") {
    end_value();
    end_step(RawStep::Ending::kClosed);
  } else if (is_space(c.front())) {
    held_ += c;
  } else {
    not_the_end(c);
  }
}

void MarkupScanner::in_inner_tag(Char c) {
  const std::string tag = to_lower(tag_ + std::string(c));
  const bool is_quoted = has_value_ && quote_ != Quote::kNone && !is_quote_closed_;
  const bool is_after_space = tag.starts_with("<step") && tag.size() > 5 && is_space(tag[5]);
  if (is_after_space && tag.size() > 6) {
    // Inside quotes "<step 1>" is text, "<step id" hardly.
    if (is_space(c.front())) {
      held_ += c;
    } else if (is_letter(c.front())) {
      end_value();
      begin_step();
      in_gap(c);
    } else {
      not_the_end(c);
    }
  } else if ((tag == "<step>" || tag == "<step/") && !is_quoted) {
    end_value();
    begin_step();
    in_gap(c);
  } else if (tag == "</step>" || (tag == "</plan>" && is_open_)) {
    end_value();
    end_step(RawStep::Ending::kUnclosed);
    if (tag == "</plan>") close_plan();
  } else if (tag.starts_with("<plan") && tag.size() == 6 && ends_name(c.front()) && !is_open_) {
    open_plan();
    in_plan_tag(c);
  } else if (is_after_space || std::string_view("<step").starts_with(tag) ||
             std::string_view("</step>").starts_with(tag) ||
             std::string_view("</plan>").starts_with(tag) ||
             std::string_view("<plan").starts_with(tag)) {
    held_ += c;
    tag_ += c;
  } else {
    not_the_end(c);
  }
}

void MarkupScanner::in_before(Char c) {
  if (is_space(c.front())) return;
  if (c == "\"") return begin_value(Quote::kDouble);
  if (c == "'") return begin_value(Quote::kSingle);
  if (is_smart_double(c)) return begin_value(Quote::kSmartDouble);
  if (is_smart_single(c)) return begin_value(Quote::kSmartSingle);
  begin_value(Quote::kNone);
  in_bare(c);
}

void MarkupScanner::in_quoted(Char c) {
  const bool is_double = quote_ == Quote::kDouble || quote_ == Quote::kSmartDouble;
  const bool is_end = c == (is_double ? "\"" : "'") ||
                      (quote_ == Quote::kSmartDouble && is_smart_double(c)) ||
                      (quote_ == Quote::kSmartSingle && is_smart_single(c));
  if (is_end) {
    held_ = c;
    is_quote_closed_ = true;
    state_ = State::kGap;
  } else if (c == "<") {
    in_gap(c);
  } else {
    value_ += c;
  }
}

void MarkupScanner::in_bare(Char c) {
  const char ch = c.front();
  if (is_space(ch) || ch == '>' || ch == '/' || ch == '<') {
    in_gap(c);
  } else {
    value_ += c;
  }
}

}  // namespace hf
