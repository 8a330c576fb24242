// The top level of a JSON object as text: where each member stands, and the same text with some
// members replaced, so that everything else stays as it was, byte for byte.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hf::wire {

class RawObject {
 public:
  // REQUIRES: `text` is valid JSON (parse_json) and outlives this. Names that are written with
  // escapes, or that occur twice, are refused: two readers might read them differently.
  static Result<RawObject> read(std::string_view text);

  // The text of a member's value; empty if it is absent.
  [[nodiscard]] std::string_view value(std::string_view name) const;

  // Puts `json` in the place of a member's value, or adds the member at the end. Each name once.
  void set(std::string_view name, std::string json);
  void remove(std::string_view name);

  // The text with all changes, in two parts around the value of `name`. REQUIRES: it is there.
  struct Halves {
    std::string before;
    std::string after;
  };
  [[nodiscard]] Halves around(std::string_view name) const;

 private:
  struct Member {
    std::string_view name;
    std::string_view whole;  // From its name to the end of its value.
    std::string_view value;
    bool is_removed = false;
    bool is_set = false;
    std::string json = {};  // Instead of `value`.
  };
  [[nodiscard]] Member* find(std::string_view name);

  std::string_view text_;
  std::vector<Member> members_;
  std::vector<std::pair<std::string, std::string>> added_;
};

}  // namespace hf::wire
