// Reads one HTTP/1.1 answer out of the bytes of a connection, however they are cut.
//
// Strict about what decides where the answer ends, and about anything that two readers could
// understand in two ways; forgiving only about line ends. Interim answers are skipped. No IO,
// linear time; the body is never copied away, only moved together within the caller's bytes. Thread
// safety: none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace hf::net {

class ResponseParser {
 public:
  // An answer to HEAD has no body whatever its head says.
  explicit ResponseParser(bool is_head_request) : is_head_request_(is_head_request) {}

  // Takes in the next bytes, up to the end of the answer. Returns what of them is body, in one
  // piece: chunks are moved together in place, which overwrites `bytes`.
  std::string_view push(std::span<char> bytes);
  // The other side has ended the connection.
  void end();

  // Whether anything has come.
  [[nodiscard]] bool has_begun() const { return head_bytes_ > 0; }
  [[nodiscard]] bool has_head() const { return has_head_; }
  [[nodiscard]] bool is_done() const { return state_ == State::kDone; }
  // Whether the connection may carry another request. REQUIRES: is_done().
  [[nodiscard]] bool is_reusable() const { return keep_alive_; }

  // Why it cannot be read on: kProtocol, kCut or kTooLarge, and a clause for people; or kNone.
  [[nodiscard]] CallError error() const { return error_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  // Empty before has_head().
  [[nodiscard]] const CallHead& head() const { return head_; }
  [[nodiscard]] const std::string& retry_after() const { return retry_after_; }
  [[nodiscard]] const std::string& content_encoding() const { return content_encoding_; }

 private:
  enum class State : std::uint8_t {
    kStatus,
    kFields,
    kSized,       // left_ bytes of body.
    kUntilClose,  // Whatever comes is body.
    kChunkSize,
    kChunk,     // left_ bytes of a chunk.
    kChunkEnd,  // Its line end.
    kTrailers,
    kDone,
    kFailed,
  };

  std::optional<std::string_view> next_line(std::span<char>& bytes);
  void take_line(std::string_view line);
  void take_status(std::string_view line);
  void take_field(std::string_view line);
  void take_length(std::string_view value);
  void take_chunk_size(std::string_view line);
  void end_head();
  void fail(CallError error, std::string message);

  const bool is_head_request_;
  State state_ = State::kStatus;
  std::string line_;  // The beginning of a line whose end has not come.
  bool is_line_over_ = false;
  std::uint64_t head_bytes_ = 0;  // With those of interim answers and trailers.
  std::uint64_t left_ = 0;

  CallHead head_;
  std::string retry_after_;
  std::string content_encoding_;
  std::optional<std::uint64_t> length_;
  bool is_chunked_ = false;
  bool keep_alive_ = false;
  bool has_head_ = false;

  CallError error_ = CallError::kNone;
  std::string message_;
};

}  // namespace hf::net
