// Where model files are on this machine, and whether they are usable. Fetching is pull.h's matter.
//
// Thread safety: free functions, no shared state. Files may change behind their back; every answer
// is about the moment it was given.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "catalogue/model.h"

namespace hf {

// Reads one variable, like std::getenv.
using Getenv = std::function<const char*(const char*)>;

// $HYBRIDFLOW_MODELS, else `models` below $HYBRIDFLOW_CACHE, $XDG_CACHE_HOME/hybridflow or
// ~/.cache/hybridflow. Variables that are set to nothing do not count.
Result<std::filesystem::path> model_directory(const Getenv& getenv);

// Where the file of `model` belongs, whether it is there or not.
std::filesystem::path model_path(const std::filesystem::path& directory, const Model& model);

// A GGUF file that can be loaded: that of a model of the catalogue, or the file at a path (a text
// with a '/' or ending in ".gguf"). Looks at the size and the header, not at the weights.
Result<std::filesystem::path> resolve_model(std::span<const Model> models,
                                            const std::filesystem::path& directory,
                                            std::string_view name_or_path);

enum class ModelState { kMissing, kOk, kDamaged };

// A look at size and magic number.
ModelState quick_state(const std::filesystem::path& directory, const Model& model);

// Reads the whole file and compares its SHA-256.
Result<ModelState> verified_state(const std::filesystem::path& directory, const Model& model);

// Deletes the model's file and what an unfinished pull left. Refuses while a pull is running.
// Returns whether anything was there.
Result<bool> remove_model(const std::filesystem::path& directory, const Model& model);

}  // namespace hf
