// Values as little-endian bytes in a sealed envelope: who wrote it, which version, how long, and a
// checksum (CRC-64/XZ, which no single burst of up to 64 damaged bits escapes).
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hf::learn {

// CRC-64/XZ; of "123456789" it is 0x995DC9BBDF1939FA.
std::uint64_t crc64(std::string_view bytes);

class ByteWriter {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void f32(float value);
  void f64(double value);
  void count(std::size_t value) { u64(value); }
  void text(std::string_view value);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void number(std::uint64_t value, int size);

  std::string bytes_;
};

// Reads what ByteWriter wrote. What is missing or cannot be comes out as 0 and marks the reader as
// broken; it is enough to look at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  float f32();   // Finite.
  double f64();  // Finite.

  // How many things of at least `size` bytes follow, never more than there are bytes for.
  std::size_t count(std::size_t size);
  std::string text();

  void require(bool condition) { is_broken_ = is_broken_ || !condition; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

  // Whether everything was read and nothing is broken.
  [[nodiscard]] bool is_done() const { return !is_broken_ && rest_.empty(); }

 private:
  std::uint64_t number(std::size_t size);

  std::string_view rest_;
  bool is_broken_ = false;
};

// What kind of thing is in an envelope.
struct Seal {
  std::string_view magic;  // Eight bytes.
  std::uint32_t version = 1;
  std::string_view what;  // As in "This is not <a weights file>."
};

std::string sealed(const Seal& seal, std::string_view content);

// The content of an envelope, or kInvalidInput: foreign, of another version, cut off or damaged.
Result<std::string_view> opened(const Seal& seal, std::string_view bytes);

}  // namespace hf::learn
