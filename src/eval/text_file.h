// Whole text files, plain or compressed with gzip: read into memory and written at once.
//
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hf::eval {

// A longer text is refused, compressed or not.
inline constexpr std::size_t kTextBytesMax = std::size_t{1} << 30U;

// The text of the file, uncompressed if it begins as a gzip file does, whatever its name is.
Result<std::string> read_text_file(const std::filesystem::path& path,
                                   std::size_t bytes_max = kTextBytesMax);

// Writes or replaces the file, compressed if its name ends in .gz; the same bytes for the same
// text. It is replaced as a whole or stays as it was.
Result<void> write_text_file(const std::filesystem::path& path, std::string_view text);

// Whether both are there and one file, whatever their names.
[[nodiscard]] bool names_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace hf::eval
