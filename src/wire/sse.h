// Server-sent events: bytes in, events out (WHATWG HTML, section 9.2), cut anywhere.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::wire {

struct SseEvent {
  std::string name;  // Of the `event:` field; "message" if none.
  std::string data;  // `data:` lines joined by LF.
};

class SseParser {
 public:
  static constexpr std::size_t kEventBytesMax = 4 * 1024 * 1024;

  // Feeds bytes and calls `sink` for each complete event. An event over the limit is an error, and
  // every later push returns it again.
  Result<void> push(std::string_view bytes, const std::function<void(const SseEvent&)>& sink);

 private:
  void line(std::string_view text, const std::function<void(const SseEvent&)>& sink);

  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool skip_lf_ = false;
  bool at_start_ = true;
  bool is_over_limit_ = false;
};

}  // namespace hf::wire
