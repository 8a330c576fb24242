#include "engine/text_stream.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/utf8.h"

namespace hf::engine {

std::string TextStream::push(std::string_view text) {
  HF_ASSERT(!is_stopped_);
  pending_ += text;
  std::size_t stop = std::string::npos;
  for (const std::string& candidate : stops_) stop = std::min(stop, pending_.find(candidate));
  if (stop != std::string::npos) {
    is_stopped_ = true;
    pending_.resize(stop);
    return finish();
  }
  const std::size_t shown =
      complete_utf8_prefix(std::string_view(pending_).substr(0, pending_.size() - possible_stop()));
  std::string result = repair_utf8(std::string_view(pending_).substr(0, shown));
  pending_.erase(0, shown);
  return result;
}

std::string TextStream::finish() {
  return repair_utf8(std::exchange(pending_, {}));
}

std::size_t TextStream::possible_stop() const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    std::size_t length = std::min(stop.size() - 1, pending_.size());
    while (length > longest && !pending_.ends_with(std::string_view(stop).substr(0, length))) {
      --length;
    }
    longest = std::max(longest, length);
  }
  return longest;
}

}  // namespace hf::engine
