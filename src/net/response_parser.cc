#include "net/response_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "base/number.h"
#include "net/call_watch.h"

namespace hf::net {
namespace {

constexpr std::uint64_t kHeadMax = 256 * 1024;
constexpr std::size_t kChunkLineMax = 16 * 1024;
constexpr std::string_view kVersion = "HTTP/1.";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Calls `take` with each element of a comma-separated list.
template <class Take>
void for_each_token(std::string_view list, Take take) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    take(trimmed(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

}  // namespace

std::string_view ResponseParser::push(std::span<char> bytes) {
  char* body = bytes.data();
  std::size_t size = 0;
  while (!bytes.empty() && state_ < State::kDone) {
    const bool is_bounded = state_ == State::kSized || state_ == State::kChunk;
    if (!is_bounded && state_ != State::kUntilClose) {
      if (const auto line = next_line(bytes)) take_line(*line);
      continue;
    }
    std::size_t count = bytes.size();
    if (is_bounded && left_ < count) count = static_cast<std::size_t>(left_);
    if (size == 0) body = bytes.data();
    if (body + size != bytes.data()) std::memmove(body + size, bytes.data(), count);
    size += count;
    bytes = bytes.subspan(count);
    if (!is_bounded) continue;
    left_ -= count;
    if (left_ == 0) state_ = state_ == State::kSized ? State::kDone : State::kChunkEnd;
  }
  if (!bytes.empty()) keep_alive_ = false;  // Nobody asked for what follows.
  return {body, size};
}

void ResponseParser::end() {
  keep_alive_ = false;
  if (state_ == State::kUntilClose) {
    state_ = State::kDone;
  } else if (state_ < State::kDone) {
    fail(CallError::kCut, has_begun() ? "the connection was closed in the middle of the answer"
                                      : "the connection was closed before an answer came");
  }
}

// The next line without its end; nothing if that has not come yet. Valid until the next call.
std::optional<std::string_view> ResponseParser::next_line(std::span<char>& bytes) {
  if (std::exchange(is_line_over_, false)) line_.clear();
  const void* const mark = std::memchr(bytes.data(), '\n', bytes.size());
  const std::size_t used =
      mark == nullptr ? bytes.size()
                      : static_cast<std::size_t>(static_cast<const char*>(mark) - bytes.data()) + 1;
  std::string_view line(bytes.data(), used);
  bytes = bytes.subspan(used);
  const bool is_chunk_line = state_ == State::kChunkSize || state_ == State::kChunkEnd;
  if (!is_chunk_line) head_bytes_ += used;
  if (head_bytes_ > kHeadMax) {
    fail(CallError::kTooLarge, fmt::format("the header is larger than {} bytes", kHeadMax));
    return std::nullopt;
  }
  if (is_chunk_line && line_.size() + used > kChunkLineMax) {
    fail(CallError::kCut, "the size of a chunk is not a number");
    return std::nullopt;
  }
  if (mark == nullptr || !line_.empty()) {
    line_.append(line);
    line = line_;
    // At once: another protocol may never send the end of a line.
    if (state_ == State::kStatus && !kVersion.starts_with(line.substr(0, kVersion.size()))) {
      fail(CallError::kProtocol, "the answer is not HTTP/1");
      return std::nullopt;
    }
    if (mark == nullptr) return std::nullopt;
    is_line_over_ = true;
  }
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void ResponseParser::take_line(std::string_view line) {
  switch (state_) {
    case State::kStatus:
      return take_status(line);
    case State::kFields:
      return line.empty() ? end_head() : take_field(line);
    case State::kChunkSize:
      return take_chunk_size(line);
    case State::kChunkEnd:
      if (!line.empty()) return fail(CallError::kCut, "a chunk is longer than its size says");
      state_ = State::kChunkSize;
      return;
    case State::kTrailers:
      if (line.empty()) state_ = State::kDone;
      return;
    default:
      return;
  }
}

void ResponseParser::take_status(std::string_view line) {
  // "HTTP/1.x SSS", then a blank and words, or nothing.
  const std::size_t at = kVersion.size();
  const bool is_status = line.starts_with(kVersion) && line.size() >= at + 5 &&
                         is_digit(line[at]) && line[at + 1] == ' ' &&
                         std::ranges::all_of(line.substr(at + 2, 3), is_digit) &&
                         (line.size() == at + 5 || line[at + 5] == ' ') && line[at + 2] != '0';
  if (!is_status) return fail(CallError::kProtocol, "the answer is not HTTP/1");
  head_ = CallHead();
  retry_after_.clear();
  content_encoding_.clear();
  length_.reset();
  is_chunked_ = false;
  keep_alive_ = line[at] != '0';
  for (const char digit : line.substr(at + 2, 3)) head_.status = head_.status * 10 + (digit - '0');
  state_ = State::kFields;
}

void ResponseParser::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  const bool is_name = colon != std::string_view::npos && !name.empty() &&
                       std::ranges::all_of(name, [](char c) { return c > ' ' && c != '\x7F'; });
  if (!is_name || line.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) {
    return fail(CallError::kProtocol, "a line of the header is not HTTP");
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  keep_header(head_, name, value);
  if (is_same_name(name, "content-length")) {
    take_length(value);
  } else if (is_same_name(name, "transfer-encoding")) {
    if (is_chunked_ || !is_same_name(value, "chunked")) {
      return fail(CallError::kProtocol, "the Transfer-Encoding of the answer is not known");
    }
    is_chunked_ = true;
  } else if (is_same_name(name, "connection")) {
    for_each_token(value, [this](std::string_view token) {
      if (is_same_name(token, "close")) keep_alive_ = false;
      if (is_same_name(token, "keep-alive")) keep_alive_ = true;
    });
  } else if (is_same_name(name, "retry-after")) {
    retry_after_ = value;
  } else if (is_same_name(name, "content-encoding") && !is_same_name(value, "identity")) {
    content_encoding_ += content_encoding_.empty() ? value : std::string(",").append(value);
  }
}

void ResponseParser::take_length(std::string_view value) {
  const auto length = parse_number<std::uint64_t>(value);
  if (!length || (length_ && length_ != length)) {
    return fail(CallError::kProtocol, "the Content-Length of the answer is not a number");
  }
  length_ = length;
}

void ResponseParser::end_head() {
  const int status = head_.status;
  if (status < 200 && status != 101) {
    state_ = State::kStatus;
    return;
  }
  has_head_ = true;
  if (is_chunked_ && length_) keep_alive_ = false;  // Somebody on the way may count differently.
  if (is_head_request_ || status == 204 || status == 304) {
    state_ = State::kDone;
  } else if (status == 101) {
    keep_alive_ = false;
    state_ = State::kDone;
  } else if (is_chunked_) {
    state_ = State::kChunkSize;
  } else if (length_) {
    left_ = *length_;
    state_ = left_ == 0 ? State::kDone : State::kSized;
  } else {
    keep_alive_ = false;
    state_ = State::kUntilClose;
  }
}

void ResponseParser::take_chunk_size(std::string_view line) {
  const auto [end, failed] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  const std::string_view rest = trimmed({end, line.data() + line.size()});
  if (failed != std::errc() || (!rest.empty() && rest.front() != ';')) {
    return fail(CallError::kCut, "the size of a chunk is not a number");
  }
  state_ = left_ == 0 ? State::kTrailers : State::kChunk;
}

void ResponseParser::fail(CallError error, std::string message) {
  state_ = State::kFailed;
  keep_alive_ = false;
  error_ = error;
  message_ = std::move(message);
}

}  // namespace hf::net
