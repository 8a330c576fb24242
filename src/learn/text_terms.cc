#include "learn/text_terms.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/rng.h"
#include "base/utf8.h"
#include "learn/split.h"

namespace hf::learn {
namespace {

enum class Kind { kBlank, kLetter, kDigit, kMark };

Kind kind_of(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  if (byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
    return Kind::kLetter;
  }
  if (byte >= '0' && byte <= '9') return Kind::kDigit;
  return byte <= ' ' || byte == 0x7f ? Kind::kBlank : Kind::kMark;
}

std::uint8_t lower(char c) {
  return static_cast<std::uint8_t>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool continues_character(std::uint8_t byte) {
  return (byte & 0xC0U) == 0x80;
}

std::uint64_t word_hash(std::string_view word) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : word) hash = (hash ^ lower(c)) * 0x100000001b3U;
  return mix(hash);
}

// An item, a percentage, a room, a year, a large amount: only the length tells them apart.
std::uint64_t digits_hash(std::size_t length) {
  return mix(0xD161'7500 + std::min<std::size_t>(length, 5));
}

// Large odd numbers, one a place, so that the order of the characters counts.
constexpr std::array<std::uint64_t, 4> kSteps{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F,
                                              0x165667B19E3779F9, 0x27D4EB2F165667C5};

constexpr std::uint32_t kBoundary = 0xFFFF'FFFF;  // No character: of UTF-8 no byte is 0xFF.

}  // namespace

TextTerms::TextTerms() : counts_(kWordTerms + kPieceTerms) {
  terms_.reserve(2048);
}

std::span<const Term> TextTerms::read(std::string_view text, std::string_view category) {
  if (text.size() > kTextBytesMax) {
    text = text.substr(0, kTextBytesMax);
    text = text.substr(0, complete_utf8_prefix(text));
  }
  terms_.clear();
  previous_word_ = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const Kind kind = kind_of(text[begin]);
    std::size_t end = begin + 1;
    while (kind != Kind::kMark && end < text.size() && kind_of(text[end]) == kind) ++end;
    const std::string_view run = text.substr(begin, end - begin);
    begin = end;
    if (kind == Kind::kBlank) continue;
    add_word(kind == Kind::kDigit ? digits_hash(run.size()) : word_hash(run));
    if (kind == Kind::kLetter) add_letters(run);
  }
  flush(0, kWordTerms);
  flush(kWordTerms, kWordTerms + kPieceTerms);
  if (!category.empty()) {
    const std::uint32_t bucket = category_key(category) % kCategoryTerms;
    terms_.push_back({kWordTerms + kPieceTerms + bucket, kCategoryWeight});
  }
  return terms_;
}

// Half of the hashes count down instead of up, so that two that meet in a bucket do not add.
void TextTerms::add(std::uint32_t base, std::uint64_t hash) {
  static_assert(kWordTerms == kPieceTerms);
  const std::uint32_t index = base + static_cast<std::uint32_t>(hash % kWordTerms);
  counts_[index] += (hash >> 63U) == 0 ? 1 : -1;
  touched_[index / 64] |= std::uint64_t{1} << (index % 64);
}

void TextTerms::add_word(std::uint64_t hash) {
  add(0, hash);
  if (previous_word_ != 0) add(0, mix(previous_word_ + (hash << 1U)));
  previous_word_ = hash;
}

// The word stands between two boundaries, which count as characters.
void TextTerms::add_letters(std::string_view word) {
  std::array<std::uint32_t, 4> last{};
  std::size_t seen = 0;
  const auto take = [&](std::uint32_t character) {
    last = {last[1], last[2], last[3], character};
    ++seen;
    const std::uint64_t three = last[1] * kSteps[0] + last[2] * kSteps[1] + last[3] * kSteps[2];
    if (seen >= 3) add(kWordTerms, mix(three));
    if (seen >= 4) add(kWordTerms, mix(three + last[0] * kSteps[3]));
  };
  take(kBoundary);
  for (std::size_t i = 0; i < word.size();) {
    std::uint32_t character = lower(word[i++]);
    for (int more = 0; more < 3 && i < word.size(); ++more) {
      const auto byte = static_cast<std::uint8_t>(word[i]);
      if (!continues_character(byte)) break;
      character = character << 8U | byte;
      ++i;
    }
    take(character);
  }
  take(kBoundary);
}

// Moves the counts of [from, to) to the terms, scaled to length 1, and clears them.
void TextTerms::flush(std::uint32_t from, std::uint32_t to) {
  const std::size_t first = terms_.size();
  std::int64_t square = 0;
  for (std::uint32_t word = from / 64; word < to / 64; ++word) {
    for (; touched_[word] != 0; touched_[word] &= touched_[word] - 1) {
      const std::uint32_t index =
          word * 64 + static_cast<std::uint32_t>(std::countr_zero(touched_[word]));
      const std::int32_t count = counts_[index];
      counts_[index] = 0;
      if (count == 0) continue;
      square += std::int64_t{count} * count;
      terms_.push_back({index, static_cast<float>(count)});
    }
  }
  const double scale = square > 0 ? 1 / std::sqrt(static_cast<double>(square)) : 0;
  for (std::size_t i = first; i < terms_.size(); ++i) {
    terms_[i].weight = static_cast<float>(terms_[i].weight * scale);
  }
}

}  // namespace hf::learn
