#include "learn/split.h"

#include <algorithm>

#include "base/rng.h"

namespace hf::learn {
namespace {

// One salt for each question asked of a name.
enum Salt : std::uint64_t { kOfSplit = 1, kOfFold = 2, kOfCategory = 3, kOfText = 4 };

class Fnv {
 public:
  explicit Fnv(std::uint64_t salt) : state_(0xcbf29ce484222325U ^ mix(salt)) {}
  void add(char byte) { state_ = (state_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3U; }
  [[nodiscard]] std::uint64_t value() const { return mix(state_); }

 private:
  std::uint64_t state_;
};

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t salt) {
  Fnv hash(salt);
  for (const char byte : bytes) hash.add(byte);
  return hash.value();
}

Split split_of(std::string_view query) {
  const std::uint64_t fifth = stable_hash(query, kOfSplit) % 5;
  return fifth < 3 ? Split::kTrain : fifth == 3 ? Split::kCalibration : Split::kTest;
}

std::size_t fold_of(std::string_view query) {
  return stable_hash(query, kOfFold) % kFolds;
}

std::uint32_t category_key(std::string_view category) {
  const auto key = static_cast<std::uint32_t>(stable_hash(category, kOfCategory));
  return std::max(key, 1U);
}

std::uint64_t fingerprint(std::string_view text) {
  Fnv hash(kOfText);
  bool has_word = false;
  bool is_apart = false;
  for (const char c : text) {
    if (is_blank(c)) {
      is_apart = has_word;
      continue;
    }
    if (is_apart) hash.add(' ');
    is_apart = false;
    has_word = true;
    hash.add(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return hash.value();
}

}  // namespace hf::learn
