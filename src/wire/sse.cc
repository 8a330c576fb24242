#include "wire/sse.h"

#include <algorithm>

namespace hf::wire {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kNone = std::string_view::npos;

// Finds one byte again and again in a growing position, looking at each byte once.
class Finder {
 public:
  Finder(std::string_view text, char wanted) : text_(text), wanted_(wanted) { seek(0); }

  // The first place at or after `from`; kNone if there is none.
  std::size_t at_or_after(std::size_t from) {
    if (found_ != kNone && found_ < from) seek(from);
    return found_;
  }

 private:
  void seek(std::size_t from) { found_ = text_.find(wanted_, from); }

  std::string_view text_;
  char wanted_;
  std::size_t found_ = 0;
};

}  // namespace

Result<void> SseParser::push(std::string_view bytes,
                             const std::function<void(const SseEvent&)>& sink) {
  Finder feeds(bytes, '\n');
  Finder returns(bytes, '\r');
  std::size_t at = 0;
  while (!is_over_limit_ && at < bytes.size()) {
    if (skip_lf_) {
      skip_lf_ = false;
      if (bytes[at] == '\n') {
        ++at;
        continue;
      }
    }
    const std::size_t end = std::min(feeds.at_or_after(at), returns.at_or_after(at));
    const std::string_view part = bytes.substr(at, end == kNone ? kNone : end - at);
    is_over_limit_ = event_.data.size() + line_.size() + part.size() > kEventBytesMax;
    if (is_over_limit_) break;
    if (end == kNone) {
      line_ += part;
      break;
    }
    if (line_.empty()) {
      line(part, sink);
    } else {
      line_ += part;
      line(line_, sink);
      line_.clear();
    }
    skip_lf_ = bytes[end] == '\r';
    at = end + 1;
  }
  if (!is_over_limit_) return {};
  return fail(Code::kInvalidInput,
              "The event stream has an event of more than 4 MiB; the sender is not to be trusted.");
}

void SseParser::line(std::string_view text, const std::function<void(const SseEvent&)>& sink) {
  if (at_start_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  at_start_ = false;
  if (text.empty()) {
    if (event_.name.empty()) event_.name = "message";
    if (has_data_) sink(event_);
    event_.name.clear();
    event_.data.clear();
    has_data_ = false;
    return;
  }
  const std::size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == kNone ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (field == "event") {
    event_.name = value;
  }
}

}  // namespace hf::wire
