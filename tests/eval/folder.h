// A folder of its own for a test that needs files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace hf::eval {

class WithFolder : public testing::Test {
 protected:
  WithFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hf-eval-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~WithFolder() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path(std::string_view name) const { return folder_ / name; }

  std::filesystem::path file(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace hf::eval
