// Runs every file of a folder, and every prefix of it, through a fuzz target. For builds without
// libFuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kPrefixesOf = 4096;  // Larger files run whole only.

void run(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  LLVMFuzzerTestOneInput(data, text.size());
  for (std::size_t size = 0; size < std::min(text.size(), kPrefixesOf); size += 7) {
    LLVMFuzzerTestOneInput(data, size);
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (count == 2) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[1], error)) {
      files.push_back(entry.path());
    }
  }
  if (files.empty()) {
    std::fputs("usage: NAME_fuzz FOLDER, with at least one file in it\n", stderr);
    return 2;
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) run(path);
  std::printf("%zu files\n", files.size());
  return 0;
}
