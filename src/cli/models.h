// `hybridflow models`: lists, fetches, checks and deletes model files.
//
// Prints results on stdout, progress and errors on stderr. Parsing the command line is main.cc's.
//
// Thread safety: call it from a program that has no other threads (pulling runs pip).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalogue/store.h"

namespace hf::cli {

enum class ModelsAction : std::uint8_t { kList, kPull, kVerify, kPath, kRemove };

struct ModelsOptions {
  ModelsAction action = ModelsAction::kList;
  std::string name;   // Needed for all but list; empty for verify means every model.
  bool json = false;  // list only.
  Getenv getenv;      // Says where models are kept (see catalogue/store.h).

  // Ways to call pip; empty means the usual ones.
  std::vector<std::vector<std::string>> pip = {};
};

// Returns the exit status: 0 done, 1 failed or something damaged, 2 unknown name.
int run_models(const ModelsOptions& options);

}  // namespace hf::cli
