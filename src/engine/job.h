// What passes between the thread that speaks HTTP and the thread that decodes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/units.h"
#include "wire/chat.h"

namespace hf::engine {

enum class JobId : std::uint64_t {};

// Why a job ended without an answer, in the words of HTTP.
struct JobFailed {
  int status = 500;
  std::string message;
  std::string code;
};

struct Embeddings {
  std::vector<std::vector<float>> vectors;  // In the order of the inputs, each of length 1.
  Tokens tokens;
};

// Pieces come in order; the last one has a finish_reason, usage and signals. Id, model and time of
// a piece are left to the receiver.
using Update = std::variant<wire::ChatPiece, Embeddings, JobFailed>;

struct Job {
  JobId id{};
  std::variant<wire::ChatRequest, std::vector<std::string>> ask;  // The latter: texts to embed.
  std::move_only_function<void(Update)> tell;  // Called on the decoding thread; must not block.
};

}  // namespace hf::engine
