// Undoes the compression of a body that came compressed although nobody asked for that.
//
// Decodes in pieces of bounded size, so that a small body that becomes a huge one can be stopped.
// Thread safety: none.
#pragma once

#include <array>
#include <memory>
#include <string_view>

struct z_stream_s;

namespace hf::net {

class Inflater {
 public:
  // Whether this Content-Encoding can be undone: gzip, x-gzip or deflate.
  [[nodiscard]] static bool knows(std::string_view encoding);

  // REQUIRES: knows(encoding).
  explicit Inflater(std::string_view encoding);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Calls `take` with each decoded piece, until it returns false. False if the bytes are not what
  // the encoding promises; what follows the end of the compressed data is passed over.
  template <class Take>
  bool push(std::string_view bytes, Take take) {
    set_input(bytes);
    std::array<char, 16 * 1024> piece;
    while (true) {
      const std::size_t size = next(piece.data(), piece.size());
      if (size > 0 && !take(std::string_view(piece.data(), size))) return true;
      if (is_broken_) return false;
      if (size == 0) return true;
    }
  }

 private:
  void set_input(std::string_view bytes);
  std::size_t next(char* to, std::size_t size);
  void begin(int window);
  [[nodiscard]] bool try_without_frame();

  const std::unique_ptr<z_stream_s> stream_;
  std::string_view input_;  // All that was given to the push() under way.
  bool is_raw_tried_;  // Some servers send deflate without the frame that the standard asks for.
  bool is_over_ = false;
  bool is_broken_ = false;
};

}  // namespace hf::net
