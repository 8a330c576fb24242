#include "load/http_reader.h"

#include <algorithm>
#include <optional>

#include "base/number.h"

namespace hf::load {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kChunkLineBytesMax = 4096;
constexpr std::string_view kEndOfHead = "\r\n\r\n";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_same(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, lower);
}

bool has_word(std::string_view text, std::string_view lower_case) {
  return !std::ranges::search(text, lower_case, {}, lower).empty();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

void HttpReader::reset() {
  state_ = State::kHead;
  framing_ = Framing::kLength;
  chunk_ = Chunk::kSize;
  keeps_alive_ = true;
  has_length_ = false;
  status_ = 0;
  left_ = 0;
  method_.clear();
  target_.clear();
  head_.clear();
  line_.clear();
}

HttpReader::Found HttpReader::feed(std::string_view bytes) {
  if (state_ == State::kHead) return {take_head(bytes), {}};
  return framing_ == Framing::kChunked ? take_chunked(bytes) : take_body(bytes);
}

void HttpReader::end() {
  const bool may_end = state_ == State::kBody && framing_ == Framing::kUntilClose;
  if (state_ != State::kDone) state_ = may_end ? State::kDone : State::kBad;
}

std::size_t HttpReader::take_head(std::string_view bytes) {
  if (head_.empty()) {
    // Almost always the whole head is in one piece, and nothing is copied.
    if (const auto end = bytes.find(kEndOfHead); end != std::string_view::npos) {
      if (!read_head(bytes.substr(0, end + 2))) state_ = State::kBad;
      return end + kEndOfHead.size();
    }
  }
  const std::size_t before = head_.size();
  head_.append(bytes);
  const std::size_t from = before < kEndOfHead.size() ? 0 : before - kEndOfHead.size() + 1;
  const auto end = head_.find(kEndOfHead, from);
  if (end == std::string::npos) {
    if (head_.size() > kHeadBytesMax) state_ = State::kBad;
    return bytes.size();
  }
  const std::string head = head_.substr(0, end + 2);
  head_.clear();
  if (!read_head(head)) state_ = State::kBad;
  return end + kEndOfHead.size() - before;
}

bool HttpReader::read_head(std::string_view head) {
  bool is_first = true;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (!(is_first ? read_start_line(line) : read_field(line))) return false;
    is_first = false;
  }
  begin_body();
  return true;
}

bool HttpReader::read_start_line(std::string_view line) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return false;
  if (kind_ == Kind::kResponse) {
    const auto status = parse_number<std::uint64_t>(line.substr(space + 1, 3));
    if (!line.starts_with("HTTP/1.") || !status || *status < 100 || *status > 599) return false;
    status_ = static_cast<int>(*status);
    keeps_alive_ = !line.starts_with("HTTP/1.0");
    return true;
  }
  const auto second = line.find(' ', space + 1);
  if (second == std::string_view::npos || !line.substr(second + 1).starts_with("HTTP/1.")) {
    return false;
  }
  method_.assign(line.substr(0, space));
  target_.assign(line.substr(space + 1, second - space - 1));
  keeps_alive_ = !line.ends_with("1.0");
  return true;
}

bool HttpReader::read_field(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (is_same(name, "content-length")) {
    const auto length = parse_number<std::uint64_t>(value);
    if (!length) return false;
    left_ = *length;
    has_length_ = true;
  } else if (is_same(name, "transfer-encoding")) {
    if (has_word(value, "chunked")) framing_ = Framing::kChunked;
  } else if (is_same(name, "connection")) {
    if (has_word(value, "close")) keeps_alive_ = false;
    if (has_word(value, "keep-alive")) keeps_alive_ = true;
  }
  return true;
}

void HttpReader::begin_body() {
  state_ = State::kBody;
  if (kind_ == Kind::kResponse) {
    if (status_ < 200) return reset();  // Not yet the answer.
    const bool is_empty = status_ == 204 || status_ == 304;
    if (is_empty) {
      framing_ = Framing::kLength;
      left_ = 0;
    } else if (framing_ == Framing::kLength && !has_length_) {
      framing_ = Framing::kUntilClose;
      keeps_alive_ = false;
    }
  }
  if (framing_ == Framing::kLength && left_ == 0) state_ = State::kDone;
}

HttpReader::Found HttpReader::take_body(std::string_view bytes) {
  if (framing_ == Framing::kUntilClose) return {bytes.size(), bytes};
  const std::size_t size = std::min<std::uint64_t>(left_, bytes.size());
  left_ -= size;
  if (left_ == 0) state_ = State::kDone;
  return {size, bytes.substr(0, size)};
}

HttpReader::Found HttpReader::take_chunked(std::string_view bytes) {
  if (chunk_ == Chunk::kData) {
    const std::size_t size = std::min<std::uint64_t>(left_, bytes.size());
    left_ -= size;
    if (left_ == 0) chunk_ = Chunk::kDataEnd;
    return {size, bytes.substr(0, size)};
  }
  const auto end = bytes.find('\n');
  const std::size_t size = end == std::string_view::npos ? bytes.size() : end + 1;
  line_.append(bytes.substr(0, size));
  if (line_.size() > kChunkLineBytesMax) {
    state_ = State::kBad;
  } else if (end != std::string_view::npos) {
    take_chunk_line();
    line_.clear();
  }
  return {size, {}};
}

void HttpReader::take_chunk_line() {
  std::string_view line = line_;
  line.remove_suffix(1);
  if (!line.ends_with('\r')) {
    state_ = State::kBad;
    return;
  }
  line.remove_suffix(1);
  switch (chunk_) {
    case Chunk::kSize: {
      const auto size = parse_number<std::uint64_t>(trimmed(line.substr(0, line.find(';'))), 16);
      if (!size) {
        state_ = State::kBad;
        return;
      }
      left_ = *size;
      chunk_ = left_ == 0 ? Chunk::kTrailer : Chunk::kData;
      return;
    }
    case Chunk::kDataEnd:
      if (!line.empty()) state_ = State::kBad;
      chunk_ = Chunk::kSize;
      return;
    case Chunk::kTrailer:
      if (line.empty()) state_ = State::kDone;
      return;
    case Chunk::kData:
      return;
  }
}

}  // namespace hf::load
