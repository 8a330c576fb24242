// Turns the texts of tokens into text that may be shown: whole characters of well-formed UTF-8, and
// nothing of a stop string, not even its beginning. Thread safety: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hf::engine {

class TextStream {
 public:
  // REQUIRES: no stop string is empty.
  explicit TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Takes the text of one more token and returns what may be shown now, perhaps nothing. Once a
  // stop string is complete, stopped() is true and everything from it on is gone.
  // REQUIRES: not stopped().
  std::string push(std::string_view text);

  // What was held back, when no more will come.
  std::string finish();

  [[nodiscard]] bool stopped() const { return is_stopped_; }

 private:
  // Bytes at the end of `pending_` that may be the beginning of a stop string.
  [[nodiscard]] std::size_t possible_stop() const;

  const std::vector<std::string> stops_;
  std::string pending_;
  bool is_stopped_ = false;
};

}  // namespace hf::engine
