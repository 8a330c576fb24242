#include "base/utf8.h"

#include <cstdint>

namespace hf {
namespace {

struct Sequence {
  std::size_t length;  // Bytes consumed, at least 1.
  enum { kValid, kInvalid, kCutOff } kind;
};

// Reads one character at the start of `text`. REQUIRES: not empty. The second-byte ranges are those
// of table 3-7 of the Unicode standard.
Sequence read_one(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, Sequence::kValid};
  if (lead < 0xC2 || lead > 0xF4) return {1, Sequence::kInvalid};

  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {i, Sequence::kCutOff};
    if (byte(i) < low || byte(i) > high) return {i, Sequence::kInvalid};
    low = 0x80;
    high = 0xBF;
  }
  return {length, Sequence::kValid};
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Sequence sequence = read_one(text);
    if (sequence.kind != Sequence::kValid) return false;
    text.remove_prefix(sequence.length);
  }
  return true;
}

std::string repair_utf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size());
  while (!text.empty()) {
    const Sequence sequence = read_one(text);
    if (sequence.kind == Sequence::kValid) {
      repaired.append(text.substr(0, sequence.length));
    } else {
      repaired.append("\xEF\xBF\xBD");
    }
    text.remove_prefix(sequence.length);
  }
  return repaired;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  const std::size_t window = text.size() < 3 ? text.size() : 3;
  for (std::size_t back = 1; back <= window; ++back) {
    const auto byte = static_cast<std::uint8_t>(text[text.size() - back]);
    if (byte < 0x80) break;
    if (byte >= 0xC0) {
      const Sequence sequence = read_one(text.substr(text.size() - back));
      return sequence.kind == Sequence::kCutOff ? text.size() - back : text.size();
    }
  }
  return text.size();
}

}  // namespace hf
