// `hybridflow serve`: the OpenAI-compatible server.
#pragma once

#include <string>

#include "cli/ask.h"

namespace hf::cli {

struct ServeOptions {
  ConfigOptions config;
  std::string listen = "127.0.0.1:8080";
  bool allow_anyone = false;  // Listen where others can reach it although there are no keys.
  std::string drain = "30s";  // How long running queries may take to end after a signal.
};

// Serves until a signal; then lets running queries end, settles, and returns 0.
int run_serve(const ServeOptions& options);

}  // namespace hf::cli
