#include "catalogue/wheel.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hf {
namespace {

// The sizes of the fixed heads of a zip file's records, and the most the trailing comment can add.
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint64_t kCommentMax = 65535;
constexpr std::uint64_t kEntrySize = 46;
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint64_t kDirectoryMax = std::uint64_t{4} << 20U;

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kLocalSignature = 0x04034b50;

constexpr std::uint32_t kStored = 0;
constexpr std::uint32_t kDeflate = 8;
constexpr std::size_t kChunk = std::size_t{64} << 10U;

// A little-endian number. REQUIRES: the bytes are there.
std::uint32_t u16(std::span<const char> bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
  return static_cast<std::uint32_t>(byte(0)) | static_cast<std::uint32_t>(byte(1)) << 8U;
}
std::uint32_t u32(std::span<const char> bytes, std::size_t at) {
  return u16(bytes, at) | u16(bytes, at + 2) << 16U;
}

struct Entry {
  std::uint32_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t unpacked = 0;
  std::uint64_t data = 0;  // Where the packed bytes begin.
};

class Archive {
 public:
  explicit Archive(const std::filesystem::path& file)
      : name_(file.filename().string()), in_(file, std::ios::binary) {
    std::error_code error;
    size_ = std::filesystem::file_size(file, error);
    if (error) size_ = 0;
  }

  [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const {
    return fail(Code::kInvalidInput,
                fmt::format("{} is not a usable wheel: {}; delete it and pull again", name_, what));
  }

  Result<std::vector<char>> read(std::uint64_t at, std::uint64_t count) {
    if (at > size_ || count > size_ - at) return damaged("it ends too early");
    std::vector<char> bytes(count);
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(at));
    if (!in_.read(bytes.data(), static_cast<std::streamsize>(count))) {
      return damaged("it cannot be read");
    }
    return bytes;
  }

  Result<Entry> find(std::string_view member) {
    HF_TRY(const std::vector<char> directory, read_directory());
    for (std::size_t at = 0; at < directory.size();) {
      if (directory.size() - at < kEntrySize) return damaged("its directory is cut off");
      const std::span<const char> head = std::span(directory).subspan(at);
      if (u32(head, 0) != kEntrySignature) return damaged("its directory is broken");
      const std::size_t name_size = u16(head, 28);
      const std::size_t whole = kEntrySize + name_size + u16(head, 30) + u16(head, 32);
      if (whole > head.size()) return damaged("its directory is cut off");
      if (std::string_view(head.data() + kEntrySize, name_size) == member) return locate(head);
      at += whole;
    }
    return damaged(fmt::format("it has no {}", member));
  }

 private:
  Result<std::vector<char>> read_directory() {
    const std::uint64_t tail_size = std::min(size_, kEndSize + kCommentMax);
    HF_TRY(const std::vector<char> tail, read(size_ - tail_size, tail_size));
    for (std::uint64_t at = tail_size; at-- > 0;) {
      if (tail_size - at < kEndSize || u32(tail, at) != kEndSignature) continue;
      const std::uint64_t directory_size = u32(tail, at + 12);
      if (directory_size > kDirectoryMax) return damaged("its directory is too large");
      return read(u32(tail, at + 16), directory_size);
    }
    return damaged("it has no zip directory");
  }

  Result<Entry> locate(std::span<const char> head) {
    if ((u16(head, 8) & 1U) != 0) return damaged("it is encrypted");
    Entry entry{.method = u16(head, 10),
                .crc = u32(head, 16),
                .packed = u32(head, 20),
                .unpacked = u32(head, 24),
                .data = 0};
    const std::uint64_t local_at = u32(head, 42);
    HF_TRY(const std::vector<char> local, read(local_at, kLocalSize));
    if (u32(local, 0) != kLocalSignature) return damaged("its directory points nowhere");
    entry.data = local_at + kLocalSize + u16(local, 26) + u16(local, 28);
    if (entry.data > size_ || entry.packed > size_ - entry.data)
      return damaged("it ends too early");
    return entry;
  }

  std::string name_;
  std::ifstream in_;
  std::uint64_t size_ = 0;
};

// Counts and sums what goes out, and stops it at the limit.
class Outlet {
 public:
  Outlet(const Archive& archive, std::uint64_t limit, const ByteSink& sink)
      : archive_(archive), left_(limit), sink_(sink) {}

  Result<void> put(std::span<const char> bytes) {
    if (bytes.size() > left_) return archive_.damaged("its content is larger than expected");
    left_ -= bytes.size();
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    return sink_(bytes);
  }

  Result<void> finish(std::uint32_t crc) {
    if (left_ != 0) return archive_.damaged("its content is smaller than expected");
    if (crc_ != crc) return archive_.damaged("its content does not match its checksum");
    return {};
  }

 private:
  const Archive& archive_;
  std::uint64_t left_;
  const ByteSink& sink_;
  uLong crc_ = 0;
};

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

Result<void> copy_stored(Archive& archive, const Entry& entry, Outlet& out) {
  for (std::uint64_t done = 0; done < entry.packed;) {
    const std::uint64_t count = std::min<std::uint64_t>(kChunk, entry.packed - done);
    HF_TRY(const std::vector<char> bytes, archive.read(entry.data + done, count));
    HF_CHECK(out.put(bytes));
    done += count;
  }
  return {};
}

Result<void> copy_inflated(Archive& archive, const Entry& entry, Outlet& out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return archive.damaged("zlib did not start");
  const std::unique_ptr<z_stream, InflateEnd> end(&stream);

  std::vector<char> unpacked(kChunk);
  int state = Z_OK;
  for (std::uint64_t done = 0; done < entry.packed && state != Z_STREAM_END;) {
    const std::uint64_t count = std::min<std::uint64_t>(kChunk, entry.packed - done);
    HF_TRY(std::vector<char> packed, archive.read(entry.data + done, count));
    done += count;
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(count);
    do {
      stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
      stream.avail_out = static_cast<uInt>(unpacked.size());
      state = inflate(&stream, Z_NO_FLUSH);
      if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
        return archive.damaged("its compressed data is broken");
      }
      HF_CHECK(out.put({unpacked.data(), unpacked.size() - stream.avail_out}));
    } while (stream.avail_out == 0 && state != Z_STREAM_END);
  }
  if (state != Z_STREAM_END) return archive.damaged("its compressed data is cut off");
  return {};
}

}  // namespace

Result<void> extract_member(const std::filesystem::path& wheel, std::string_view member,
                            std::uint64_t bytes, const ByteSink& sink) {
  Archive archive(wheel);
  HF_TRY(const Entry entry, archive.find(member));
  if (entry.unpacked != bytes) {
    return archive.damaged(
        fmt::format("{} claims {} bytes where {} are expected", member, entry.unpacked, bytes));
  }
  Outlet out(archive, bytes, sink);
  if (entry.method == kStored) {
    HF_CHECK(copy_stored(archive, entry, out));
  } else if (entry.method == kDeflate) {
    HF_CHECK(copy_inflated(archive, entry, out));
  } else {
    return archive.damaged("it is packed by an unknown method");
  }
  return out.finish(entry.crc);
}

}  // namespace hf
