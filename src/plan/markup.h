// Finds plans and steps in a stream of text that is meant to be markup. Knows how models get
// quotes, tags and thinking blocks wrong; does not know what a good plan is.
//
// One state machine over characters, so that neither the cutting of the stream nor its length
// matters: each byte is looked at a bounded number of times. Outside a plan, steps are reported
// too, until they have taken `plan_bytes_max`; whoever listens forgets them when a plan opens.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hf {

enum class Field : std::uint8_t { kId, kRole, kTask, kRely, kToken, kDifficulty, kOther };

// One step as it was written; values with entities decoded. An absent field was not there at all.
struct RawStep {
  enum class Ending : std::uint8_t {
    kClosed,
    kUnclosed,  // The next step or the end of the plan began before it was closed.
    kCut,       // The stream ended inside.
  };
  std::array<std::optional<std::string>, 6> fields;
  Ending ending = Ending::kClosed;
  bool has_smart_quotes = false;  // Around a value.

  [[nodiscard]] const std::optional<std::string>& operator[](Field field) const {
    return fields[static_cast<std::size_t>(field)];
  }
};

class MarkupSink {
 public:
  virtual ~MarkupSink() = default;
  virtual void on_plan_opened() = 0;
  virtual void on_step(const RawStep& step) = 0;
  // A thinking block ended that never began: what came before was thought.
  virtual void on_thought() = 0;
};

class MarkupScanner {
 public:
  enum class End : std::uint8_t { kNone, kClosed, kOverLimit };

  MarkupScanner(MarkupSink& sink, std::size_t plan_bytes_max)
      : sink_(sink), plan_bytes_max_(plan_bytes_max) {}

  // Takes in more text. REQUIRES: well-formed UTF-8, no character cut in two.
  void push(std::string_view text);

  // The stream is over: reports a step that was cut off.
  void finish();

  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] bool is_thinking() const { return state_ == State::kThink; }
  [[nodiscard]] End end() const { return end_; }
  // Whether the plan came after the marks of a code block.
  [[nodiscard]] bool has_fence() const { return has_fence_; }

 private:
  enum class State : std::uint8_t {
    kText,      // Outside tags; inside the body of a step if there is one.
    kMarkup,    // After '<' in text; `tag_` has it and what followed.
    kChildTag,  // In the rest of a tag like <Task>.
    kPlanTag,   // In the rest of a <Plan ...> tag.
    kSkip,      // Until `until_`: comment, processing instruction, declaration, CDATA.
    kThink,     // Until the end tag of a thinking block.
    kGap,       // In a step tag, between attributes or after what may be the end of a value.
    kName,      // In an attribute's name, or what may be one.
    kNameGap,   // Between such a name and '='.
    kEquals,    // After the '=' of an unknown name that may not be one.
    kSlash,     // After '/' that may close the tag.
    kInnerTag,  // After '<' inside a step tag.
    kBefore,    // Between '=' and the value.
    kQuoted,
    kBare,  // In a value without quotes.
  };
  enum class Quote : std::uint8_t { kNone, kDouble, kSingle, kSmartDouble, kSmartSingle };

  using Char = std::string_view;  // One whole character.

  void take(Char c);
  void in_text(Char c);
  void in_markup(Char c);
  void in_declaration(Char c);
  void in_child_tag(Char c);
  void in_plan_tag(Char c);
  void in_skip(Char c);
  void in_think(Char c);
  void in_gap(Char c);
  void in_name(Char c);
  void in_equals(Char c);
  void in_slash(Char c);
  void in_inner_tag(Char c);
  void in_before(Char c);
  void in_quoted(Char c);
  void in_bare(Char c);

  void on_start_tag(std::string_view name, Char c);
  void on_end_tag(std::string_view name);
  void not_markup(Char c);
  void not_the_end(Char c);
  void begin_value(Quote quote);
  void end_value();
  void begin_skip(std::string_view until, bool is_cdata);
  void open_plan();
  void close_plan();
  void begin_step();
  void begin_body();
  void end_step(RawStep::Ending ending);
  void set(Field field, std::string_view raw);
  void count(std::size_t bytes);
  void look_for_fence(std::string_view prose) {
    for (const char c : prose) {
      backticks_ = c == '`' ? backticks_ + 1 : 0;
      has_fence_ = has_fence_ || backticks_ == 3;
    }
  }
  [[nodiscard]] std::size_t skippable(std::string_view text) const;

  MarkupSink& sink_;
  std::size_t plan_bytes_max_;
  State state_ = State::kText;
  End end_ = End::kNone;
  bool is_open_ = false;
  bool has_fence_ = false;
  std::size_t backticks_ = 0;  // In a row, before the plan.
  bool is_over_ = false;       // Steps outside a plan have taken their share.
  std::size_t steps_in_plan_ = 0;
  std::size_t nested_ = 0;  // Plans opened after the first step of the plan.
  std::size_t bytes_ = 0;   // Of the plan, or of steps outside one.

  std::optional<RawStep> step_;  // The one being read.
  bool in_body_ = false;         // Its start tag is complete.
  Field child_ = Field::kOther;  // Child element that is open in the body.
  std::string body_;             // Text of the body, or of the child.

  bool has_value_ = false;        // A value is being read, or has perhaps ended.
  bool is_quote_closed_ = false;  // It has, if what follows says so too.
  Quote quote_ = Quote::kNone;
  Field field_ = Field::kOther;
  std::string value_;
  std::string name_;  // Of the attribute that may follow.
  std::string held_;  // Read ahead; belongs to the value if nothing comes of it.
  std::string tag_;   // Read since '<'; in skipped parts, the latest characters.
  std::string_view until_;
  bool is_cdata_ = false;
};

}  // namespace hf
