// Any bytes of an upstream: the parser reads the same answer however they are cut, or fails alike.
// The first byte says how the pieces are cut, and whether the request was a HEAD.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/response_parser.h"

namespace {

using hf::net::CallError;
using hf::net::ResponseParser;

struct Read {
  std::string body;
  std::string shown;  // All that the parser says at the end, lengths first.
  bool operator==(const Read&) const = default;
};

// Pieces of 1 to `most` bytes, drawn from `seed`.
Read read(std::string bytes, bool is_head, std::size_t most, std::uint32_t seed) {
  ResponseParser parser(is_head);
  Read result;
  for (std::size_t at = 0; at < bytes.size();) {
    seed = seed * 1'664'525 + 1'013'904'223;
    const std::size_t size = std::min(1 + (seed >> 8) % most, bytes.size() - at);
    const bool was_over = parser.is_done() || parser.error() != CallError::kNone;
    const std::string_view body = parser.push({bytes.data() + at, size});
    HF_ASSERT(body.size() <= size && !(was_over && !body.empty()));
    HF_ASSERT(body.empty() || parser.has_head());
    result.body += body;
    at += size;
  }
  parser.end();
  HF_ASSERT(parser.is_done() != (parser.error() != CallError::kNone));
  HF_ASSERT(parser.message().empty() == parser.is_done());
  const auto add = [&](std::string_view text) {
    result.shown += std::to_string(text.size()) + ":";
    result.shown += text;
  };
  add(parser.message());
  add(std::to_string(static_cast<int>(parser.error())));
  if (parser.has_head()) {
    const auto& head = parser.head();
    HF_ASSERT(head.status >= 101 && head.status <= 999);
    add(std::to_string(head.status));
    add(head.content_type);
    for (const auto& [name, value] : head.headers) {
      add(name);
      add(value);
    }
    add(parser.retry_after());
    add(parser.content_encoding());
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_head = (data[0] & 1) != 0;
  ResponseParser at_once(is_head);
  std::string copy = bytes;
  const std::string body(at_once.push(copy));
  const bool is_kept = at_once.is_done() && at_once.is_reusable();

  // A piece of all bytes, of each, and drawn ones.
  const Read whole = read(bytes, is_head, 1, 0);
  HF_ASSERT(whole.body == body);
  HF_ASSERT(read(bytes, is_head, 1 + bytes.size() / 3, data[0]) == whole);
  HF_ASSERT(read(bytes, is_head, 16, data[0]) == whole);
  // A connection that is kept had nothing beyond its answer.
  if (is_kept && !bytes.empty()) {
    ResponseParser shorter(is_head);
    copy = bytes.substr(0, bytes.size() - 1);
    shorter.push(copy);
    HF_ASSERT(!shorter.is_done());
  }
  return 0;
}
