#include "learn/bytes.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>

#include "base/assert.h"

namespace hf::learn {
namespace {

constexpr auto kCrcTable = [] {
  constexpr std::uint64_t kPolynomial = 0xC96C5795D7870F42U;  // ECMA-182, reflected.
  std::array<std::uint64_t, 256> table{};
  for (std::uint64_t byte = 0; byte < table.size(); ++byte) {
    std::uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) * kPolynomial);
    table[byte] = value;
  }
  return table;
}();

constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kHeadBytes = kMagicBytes + 4 + 8 + 8;

}  // namespace

std::uint64_t crc64(std::string_view bytes) {
  std::uint64_t value = ~std::uint64_t{0};
  for (const char byte : bytes) {
    value = kCrcTable[(value ^ static_cast<std::uint8_t>(byte)) & 0xFFU] ^ (value >> 8U);
  }
  return ~value;
}

void ByteWriter::number(std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i, value >>= 8U) bytes_.push_back(static_cast<char>(value & 0xFFU));
}

void ByteWriter::f32(float value) {
  u32(std::bit_cast<std::uint32_t>(value));
}

void ByteWriter::f64(double value) {
  u64(std::bit_cast<std::uint64_t>(value));
}

void ByteWriter::text(std::string_view value) {
  count(value.size());
  bytes_.append(value);
}

std::uint64_t ByteReader::number(std::size_t size) {
  require(rest_.size() >= size);
  if (is_broken_) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<std::uint8_t>(rest_[i]);
  rest_.remove_prefix(size);
  return value;
}

float ByteReader::f32() {
  const auto value = std::bit_cast<float>(u32());
  require(std::isfinite(value));
  return is_broken_ ? 0 : value;
}

double ByteReader::f64() {
  const auto value = std::bit_cast<double>(u64());
  require(std::isfinite(value));
  return is_broken_ ? 0 : value;
}

std::size_t ByteReader::count(std::size_t size) {
  const std::uint64_t value = u64();
  require(value <= rest_.size() / size);
  return is_broken_ ? 0 : static_cast<std::size_t>(value);
}

std::string ByteReader::text() {
  std::string value(rest_.substr(0, count(1)));
  rest_.remove_prefix(value.size());
  return value;
}

std::string sealed(const Seal& seal, std::string_view content) {
  HF_ASSERT(seal.magic.size() == kMagicBytes);
  ByteWriter head;
  head.u32(seal.version);
  head.u64(content.size());
  head.u64(crc64(content));
  std::string bytes;
  bytes.append(seal.magic).append(head.bytes()).append(content);
  return bytes;
}

Result<std::string_view> opened(const Seal& seal, std::string_view bytes) {
  if (!bytes.starts_with(seal.magic)) {
    return fail(Code::kInvalidInput,
                fmt::format("This is not {}: it does not begin with {}.", seal.what, seal.magic));
  }
  ByteReader head(bytes.substr(kMagicBytes));
  const std::uint32_t version = head.u32();
  const std::uint64_t length = head.u64();
  const std::uint64_t checksum = head.u64();
  if (!head.is_broken() && version != seal.version) {
    return fail(Code::kInvalidInput,
                fmt::format("This is {} of version {}, but this program reads version {}: make it "
                            "anew{}.",
                            seal.what, version, seal.version,
                            version > seal.version ? ", or use a newer program" : ""));
  }
  if (head.is_broken() || bytes.size() - kHeadBytes < length) {
    return fail(Code::kInvalidInput,
                fmt::format("This is {} that was cut off after {} bytes: copy or make it anew.",
                            seal.what, bytes.size()));
  }
  const std::string_view content = bytes.substr(kHeadBytes);
  if (content.size() > length || crc64(content) != checksum) {
    return fail(Code::kInvalidInput,
                fmt::format("This is {} that is damaged (its checksum does not fit): copy or make "
                            "it anew.",
                            seal.what));
  }
  return content;
}

}  // namespace hf::learn
