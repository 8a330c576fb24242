// A text as a sparse vector: hashed words and pairs of words, and pieces of three and four letters
// inside words. Nothing is looked up, so nothing has to be stored and no word is unknown.
//
// Words are ASCII-lowercased; a run of digits counts as one word that tells only its length; a mark
// is a word by itself. Any bytes are allowed; a cut or broken character hashes to something
// harmless.
// Thread safety: none; one reader a thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace hf::learn {

struct Term {
  std::uint32_t index = 0;
  float weight = 0;

  friend bool operator==(const Term&, const Term&) = default;
};

inline constexpr std::uint32_t kWordTerms = 1U << 14U;
inline constexpr std::uint32_t kPieceTerms = 1U << 14U;
inline constexpr std::uint32_t kCategoryTerms = 1U << 8U;
inline constexpr std::uint32_t kTextTerms = kWordTerms + kPieceTerms + kCategoryTerms;
inline constexpr std::size_t kTextBytesMax = 8192;  // What follows is not read.
inline constexpr float kCategoryWeight = 1;

// Reads texts one after the other and reuses its memory: no allocation once it has read a long one.
class TextTerms {
 public:
  TextTerms();

  // The terms of `text`, ascending and each index once; words and pieces have length 1 each (or are
  // absent), and a category that is not empty adds one term. Valid until the next call.
  std::span<const Term> read(std::string_view text, std::string_view category);

 private:
  void add(std::uint32_t base, std::uint64_t hash);
  void add_word(std::uint64_t hash);
  void add_letters(std::string_view word);
  void flush(std::uint32_t from, std::uint32_t to);

  std::uint64_t previous_word_ = 0;
  std::vector<std::int32_t> counts_;  // Signed, by index; all 0 between calls.
  std::array<std::uint64_t, (kWordTerms + kPieceTerms) / 64> touched_{};  // A bit for each index.
  std::vector<Term> terms_;
};

}  // namespace hf::learn
