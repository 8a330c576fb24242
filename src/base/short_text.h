// A text that lives inside its owner: at most `kCapacity` bytes, no allocation. What does not fit
// is cut off between two characters. For short clauses on the hot path, not for what users wrote.
// Thread safety: none.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace hf {

template <std::size_t kCapacity>
class ShortText {
  static_assert(kCapacity <= UINT8_MAX);

 public:
  ShortText() = default;
  ShortText(const ShortText& other) { append(other.view()); }  // Only what is used of the bytes.
  ShortText& operator=(const ShortText& other) {
    if (this == &other) return *this;
    clear();
    return append(other.view());
  }
  ~ShortText() = default;
  ShortText(std::string_view text) { append(text); }
  ShortText(const char* text) { append(text); }

  // The text as {fmt} makes it.
  template <class First, class... Rest>
  explicit ShortText(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest) {
    append(format, std::forward<First>(first), std::forward<Rest>(rest)...);
  }

  ShortText& append(std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), kCapacity - size_), bytes_.data() + size_);
    return grow(text.size());
  }

  template <class First, class... Rest>
  ShortText& append(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest) {
    return grow(fmt::format_to_n(bytes_.data() + size_, kCapacity - size_, format,
                                 std::forward<First>(first), std::forward<Rest>(rest)...)
                    .size);
  }

  void clear() { size_ = 0; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }

  friend bool operator==(const ShortText& a, const ShortText& b) { return a.view() == b.view(); }

 private:
  // `wanted` more bytes were to be added; as many as fit have been written.
  ShortText& grow(std::size_t wanted) {
    const std::size_t room = kCapacity - size_;
    size_ = static_cast<std::uint8_t>(size_ + std::min(wanted, room));
    if (wanted > room) size_ = static_cast<std::uint8_t>(complete_utf8_prefix(view()));
    return *this;
  }

  std::uint8_t size_ = 0;
  std::array<char, kCapacity> bytes_;
};

}  // namespace hf
