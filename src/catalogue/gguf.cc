#include "catalogue/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

namespace hf {
namespace {

enum ValueType : std::uint32_t { kUint32 = 4, kString = 8, kArray = 9, kTypesEnd = 13 };

// Bytes of a value of each type; 0: it says itself how long it is.
constexpr std::array<std::uint64_t, kTypesEnd> kValueBytes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// How tensors of a type are stored: so many values in so many bytes. Types that are not known here
// are not measured.
struct Block {
  std::uint32_t type;
  std::uint64_t values;
  std::uint64_t bytes;
};
constexpr std::array kBlocks{
    Block{0, 1, 4},      Block{1, 1, 2},      Block{2, 32, 18},    Block{3, 32, 20},
    Block{6, 32, 22},    Block{7, 32, 24},    Block{8, 32, 34},    Block{9, 32, 36},
    Block{10, 256, 84},  Block{11, 256, 110}, Block{12, 256, 144}, Block{13, 256, 176},
    Block{14, 256, 210}, Block{15, 256, 292}, Block{24, 1, 1},     Block{25, 1, 2},
    Block{26, 1, 4},     Block{27, 1, 8},     Block{28, 1, 8},     Block{30, 1, 2}};

std::unexpected<Error> damaged(std::string what) {
  return fail(Code::kInvalidInput, std::move(what));
}

class Reader {
 public:
  Reader(std::ifstream& in, std::uint64_t size) : in_(in), size_(size) {}

  Result<void> run() {
    std::array<char, 4> magic{};
    if (!in_.read(magic.data(), magic.size()) || std::string_view(magic.data(), 4) != "GGUF") {
      return damaged("it does not begin as a GGUF file does");
    }
    at_ = magic.size();
    HF_TRY(const auto version, number<std::uint32_t>());
    if (version < 2 || version > 3) {
      return damaged(fmt::format("it says it is GGUF version {}, which is not known", version));
    }
    HF_TRY(const auto tensors, count());
    HF_TRY(const auto values, count());
    for (std::uint64_t i = 0; i < values; ++i) HF_CHECK(read_entry());
    for (std::uint64_t i = 0; i < tensors; ++i) HF_CHECK(read_tensor());
    const std::uint64_t start = (at_ + alignment_ - 1) / alignment_ * alignment_;
    if (tensors > 0 && (start > size_ || end_of_data_ > size_ - start)) {
      return damaged(
          fmt::format("it has {} bytes, but its tensors need {}", size_, start + end_of_data_));
    }
    return {};
  }

 private:
  template <class T>
  Result<T> number() {
    std::array<char, sizeof(T)> bytes{};
    if (!in_.read(bytes.data(), bytes.size())) return damaged("its header ends too early");
    at_ += bytes.size();
    T value{};
    for (std::size_t i = bytes.size(); i-- > 0;) {
      value = static_cast<T>((value << 8U) | static_cast<unsigned char>(bytes[i]));
    }
    return value;
  }

  // Of things of which each takes a byte at least.
  Result<std::uint64_t> count() {
    HF_TRY(const auto count, number<std::uint64_t>());
    if (count > size_ - at_) return damaged("a count in its header is larger than the file");
    return count;
  }

  Result<void> skip(std::uint64_t bytes) {
    if (bytes > size_ - at_) return damaged("its header ends too early");
    in_.ignore(static_cast<std::streamsize>(bytes));
    at_ += bytes;
    return {};
  }

  Result<std::string> text() {
    constexpr std::uint64_t kNameBytesMax = 65'535;
    HF_TRY(const auto length, count());
    if (length > kNameBytesMax) return damaged("a name in its header is too long");
    std::string text(length, '\0');
    if (!in_.read(text.data(), static_cast<std::streamsize>(length)))
      return damaged("its header ends too early");
    at_ += length;
    return text;
  }

  Result<void> skip_value(std::uint32_t type) {
    if (type >= kTypesEnd || type == kArray) return damaged("a type in its header is not known");
    if (type != kString) return skip(kValueBytes.at(type));
    HF_TRY(const auto length, count());
    return skip(length);
  }

  Result<void> read_entry() {
    HF_TRY(const std::string key, text());
    HF_TRY(const auto type, number<std::uint32_t>());
    if (key == "general.alignment" && type == kUint32) {
      HF_TRY(alignment_, number<std::uint32_t>());
      const bool is_power = alignment_ > 0 && (alignment_ & (alignment_ - 1)) == 0;
      return is_power ? Result<void>() : damaged("the alignment in its header is wrong");
    }
    if (type != kArray) return skip_value(type);
    HF_TRY(const auto each, number<std::uint32_t>());
    HF_TRY(const auto length, count());
    for (std::uint64_t i = 0; i < length; ++i) HF_CHECK(skip_value(each));
    return {};
  }

  Result<void> read_tensor() {
    constexpr std::uint32_t kDimensionsMax = 4;
    HF_TRY(const std::string name, text());
    HF_TRY(const auto dimensions, number<std::uint32_t>());
    if (dimensions > kDimensionsMax) {
      return damaged(fmt::format("its tensor '{}' has {} dimensions", name, dimensions));
    }
    std::uint64_t values = 1;
    bool fits = true;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      HF_TRY(const auto extent, number<std::uint64_t>());
      fits = !__builtin_mul_overflow(values, extent, &values) && fits;
    }
    HF_TRY(const auto type, number<std::uint32_t>());
    HF_TRY(const auto offset, number<std::uint64_t>());
    std::uint64_t end = offset;
    for (const Block& block : kBlocks) {
      if (block.type != type) continue;
      std::uint64_t bytes = 0;
      fits = fits && !__builtin_mul_overflow(values / block.values, block.bytes, &bytes) &&
             !__builtin_add_overflow(offset, bytes, &end);
    }
    if (!fits || end > std::numeric_limits<std::uint64_t>::max() / 2) {
      return damaged(fmt::format("its tensor '{}' is larger than any file", name));
    }
    end_of_data_ = std::max(end_of_data_, end);
    return {};
  }

  std::ifstream& in_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
  std::uint32_t alignment_ = 32;
  std::uint64_t end_of_data_ = 0;  // From the start of the data.
};

}  // namespace

Result<void> check_gguf(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) return damaged("it cannot be read");
  return Reader(in, size).run();
}

}  // namespace hf
