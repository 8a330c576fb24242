// Reads HTTP/1.1 messages from a stream of bytes, as they come: requests or answers. It looks at
// what delimits a message and at nothing else, which makes it cheap.
//
// It is for measuring, not for serving: of what a hostile peer may send it refuses only what cannot
// be read.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace hf::load {

class HttpReader {
 public:
  enum class Kind { kRequest, kResponse };
  enum class State { kHead, kBody, kDone, kBad };

  // What one call of `feed` found.
  struct Found {
    std::size_t used = 0;   // Bytes taken.
    std::string_view body;  // The part of the body among them; may be empty.
  };

  explicit HttpReader(Kind kind) : kind_(kind) {}

  // Takes bytes up to the end of the message, but at most one piece of body: call it until all are
  // used or the state is kDone or kBad. Always makes progress. REQUIRES: neither is reached yet,
  // and `bytes` is not empty.
  Found feed(std::string_view bytes);
  // The peer sends no more: kDone if the message may end so, kBad if it is cut off.
  void end();
  // Begins the next message.
  void reset();

  [[nodiscard]] State state() const { return state_; }
  // True until the first byte of a message.
  [[nodiscard]] bool is_fresh() const { return state_ == State::kHead && head_.empty(); }
  // The connection can carry another message after this one. Valid from kBody on.
  [[nodiscard]] bool keeps_alive() const { return keeps_alive_; }
  // The answer's status; 0 before it is known.
  [[nodiscard]] int status() const { return status_; }
  // The request's method and target; empty before they are known.
  [[nodiscard]] const std::string& method() const { return method_; }
  [[nodiscard]] const std::string& target() const { return target_; }

 private:
  enum class Framing { kLength, kChunked, kUntilClose };
  enum class Chunk { kSize, kData, kDataEnd, kTrailer };

  std::size_t take_head(std::string_view bytes);
  bool read_head(std::string_view head);
  bool read_start_line(std::string_view line);
  bool read_field(std::string_view line);
  void begin_body();
  Found take_body(std::string_view bytes);
  Found take_chunked(std::string_view bytes);
  void take_chunk_line();

  Kind kind_;
  State state_ = State::kHead;
  Framing framing_ = Framing::kLength;
  Chunk chunk_ = Chunk::kSize;
  bool keeps_alive_ = true;
  bool has_length_ = false;
  int status_ = 0;
  std::uint64_t left_ = 0;  // Bytes of the body or of the chunk.
  std::string method_;
  std::string target_;
  std::string head_;  // Begun in an earlier piece.
  std::string line_;  // Of chunked framing, likewise.
};

}  // namespace hf::load
