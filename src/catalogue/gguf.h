// Whether a GGUF file is whole: its header can be read and all its tensors are inside the file.
//
// Reads the header only (some megabytes at most) and knows no llama.cpp. What is in the tensors,
// and whether the model can run, is not looked at. Thread safety: a free function, no shared state.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace hf {

// kInvalidInput: "the header ends too early" and the like, half a sentence without the file's name.
Result<void> check_gguf(const std::filesystem::path& file);

}  // namespace hf
