// Any bytes: the SSE parser gives the same events however they are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "wire/sse.h"

namespace {

// All events on one string, lengths first, so that different events never look alike.
std::string events(std::string_view text, std::size_t piece) {
  hf::wire::SseParser parser;
  std::string out;
  const auto note = [&](const hf::wire::SseEvent& event) {
    out += std::to_string(event.name.size()) + "," + std::to_string(event.data.size()) + ":" +
           event.name + event.data + "\n";
  };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!parser.push(text.substr(at, piece), note)) return out + "failed";
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = events(text, std::max<std::size_t>(size, 1));
  HF_ASSERT(events(text, 1) == whole);
  HF_ASSERT(events(text, 1 + size / 3) == whole);
  return 0;
}
