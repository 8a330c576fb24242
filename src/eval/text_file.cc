#include "eval/text_file.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>

namespace hf::eval {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;  // What zlib calls a gzip wrapper.
constexpr std::size_t kChunk = std::size_t{1} << 16U;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::unexpected<Error> no_access(const std::filesystem::path& path, std::string_view verb) {
  return fail(Code::kInvalidInput,
              fmt::format("{} cannot be {}: {}.", path.string(), verb, std::strerror(errno)));
}

std::unexpected<Error> too_long(const std::filesystem::path& path, std::size_t bytes_max) {
  return fail(Code::kInvalidInput, fmt::format("{} has more than {} bytes of text; split it.",
                                               path.string(), bytes_max));
}

std::unexpected<Error> damaged(const std::filesystem::path& path, std::string_view how) {
  return fail(Code::kInvalidInput,
              fmt::format("{} is damaged: {}; get it again.", path.string(), how));
}

Result<std::string> read_bytes(const std::filesystem::path& path, std::size_t bytes_max) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) return no_access(path, "opened");
  std::string bytes;
  while (bytes.size() <= bytes_max) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kChunk);
    const std::size_t got = std::fread(bytes.data() + before, 1, kChunk, file.get());
    bytes.resize(before + got);
    if (got < kChunk) break;
  }
  if (std::ferror(file.get()) != 0) return no_access(path, "read");
  if (bytes.size() > bytes_max) return too_long(path, bytes_max);
  return bytes;
}

// zlib counts in 32 bits; a file may be longer.
uInt portion(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Bytef* bytes_of(const char* text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text));  // zlib does not write there.
}

// A gzip file may hold several streams, one after another; the text is that of all of them.
Result<std::string> inflate_all(const std::filesystem::path& path, std::string_view packed,
                                std::size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) {
    return fail(Code::kInternal, "zlib did not start; there may be too little memory.");
  }
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, &inflateEnd);
  std::string text;
  std::size_t taken = 0;
  while (true) {
    const std::size_t before = text.size();
    if (before > bytes_max) return too_long(path, bytes_max);
    text.resize(before + kChunk);
    const uInt given = portion(packed.size() - taken);
    stream.next_in = bytes_of(packed.data() + taken);
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + before);
    stream.avail_out = kChunk;
    const int status = inflate(&stream, Z_NO_FLUSH);
    taken += given - stream.avail_in;
    text.resize(text.size() - stream.avail_out);
    if (status == Z_STREAM_END) {
      if (taken == packed.size()) break;
      inflateReset(&stream);
    } else if (status == Z_BUF_ERROR ||
               (status == Z_OK && taken == packed.size() && stream.avail_out > 0)) {
      return damaged(path, "its compressed data end too early");
    } else if (status != Z_OK) {
      return damaged(path,
                     stream.msg == nullptr ? "its compressed data make no sense" : stream.msg);
    }
  }
  if (text.size() > bytes_max) return too_long(path, bytes_max);
  return text;
}

std::optional<std::string> deflate_all(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> end(&stream, &deflateEnd);
  std::string packed;
  std::size_t taken = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    const std::size_t before = packed.size();
    packed.resize(before + kChunk);
    const uInt given = portion(text.size() - taken);
    stream.next_in = bytes_of(text.data() + taken);
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<Bytef*>(packed.data() + before);
    stream.avail_out = kChunk;
    status = deflate(&stream, given == text.size() - taken ? Z_FINISH : Z_NO_FLUSH);
    taken += given - stream.avail_in;
    packed.resize(packed.size() - stream.avail_out);
    if (status != Z_OK && status != Z_STREAM_END) return std::nullopt;
  }
  return packed;
}

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t bytes_max) {
  HF_TRY(std::string bytes, read_bytes(path, bytes_max));
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  return inflate_all(path, bytes, bytes_max);
}

Result<void> write_text_file(const std::filesystem::path& path, std::string_view text) {
  std::optional<std::string> packed;
  if (path.extension() == ".gz") {
    packed = deflate_all(text);
    if (!packed) return fail(Code::kInternal, "zlib failed; there may be too little memory.");
    text = *packed;
  }
  // Beside it first, so that nobody ever sees half of it and a full disk costs no old file. What is
  // no ordinary file (a pipe, a device) is written to as it is.
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  const bool is_replaced = !std::filesystem::exists(status) || is_regular_file(status);
  std::filesystem::path beside = path;
  if (is_replaced) beside += fmt::format(".{}.part", ::getpid());
  File file(std::fopen(beside.c_str(), "wb"));
  if (!file) return no_access(path, "written");
  bool is_written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  is_written = std::fclose(file.release()) == 0 && is_written;
  if (is_written && is_replaced) is_written = std::rename(beside.c_str(), path.c_str()) == 0;
  if (is_written) return {};
  const auto failed = no_access(path, "written");
  if (is_replaced) std::filesystem::remove(beside, error);
  return failed;
}

bool names_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

}  // namespace hf::eval
