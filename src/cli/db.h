// `hybridflow db`: whether the files of the ledger and of the history are sound, and copies of
// both.
#pragma once

#include <cstdint>
#include <string>

#include "cli/ledger.h"

namespace hf::cli {

enum class DbAction : std::uint8_t { kCheck, kBackup };

struct DbOptions {
  DbAction action = DbAction::kCheck;
  LedgerPlace place;
  std::string directory;  // Backup: where the copies go.
};

// Returns 0; 1 if there is neither file, one is damaged, or a copy cannot be made.
int run_db(const DbOptions& options);

}  // namespace hf::cli
