// `hybridflow engine`: serves one GGUF model on a socket until it is told to stop.
#pragma once

#include <cstdint>
#include <string>

#include "engine/lab.h"

namespace hf::engine {

struct EngineOptions {
  std::string model_path;
  std::string listen = "127.0.0.1:0";  // "unix:PATH" or "HOST:PORT".
  std::string name;                    // Empty: the file's name without its ending.
  std::uint32_t slots = 4;             // Answers at once; more wait.
  std::uint32_t context = 8192;        // Tokens of memory, shared by all answers.
  std::uint32_t threads = 0;           // At most; 0: all cores.
  std::uint32_t queue = 64;            // Requests that wait; more are refused.
  bool can_embed = false;
  bool watches_parent = false;  // Stdin is a pipe of the parent; its end ends the engine.
  LabOptions lab;
};

// Prints "listening on ADDRESS" to stdout and runs until SIGINT or SIGTERM. Returns the exit code:
// 0, or 2 after one sentence on stderr if something given to it is wrong.
int run_engine(const EngineOptions& options);

}  // namespace hf::engine
