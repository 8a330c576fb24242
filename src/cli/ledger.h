// `hybridflow ledger`: what the durable budget scopes have spent and lent, and the settling of
// leases whose owners are gone. And where the ledger is, for all commands.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace hf::cli {

struct LedgerPlace {
  std::string store;   // Path of the file; empty: as configured.
  std::string config;  // Configuration file; empty, or silent about it: the usual place.
};

// Where the ledger is, or would be.
Result<std::filesystem::path> ledger_path(const LedgerPlace& place);

// Refuses a path where nothing is, or an empty file: who only looks must not make a ledger of it.
Result<void> expect_ledger(const std::filesystem::path& path);

enum class LedgerAction : std::uint8_t { kShow, kReconcile };

struct LedgerOptions {
  LedgerAction action = LedgerAction::kShow;
  LedgerPlace place;
  bool json = false;
  bool elsewhere = false;  // Reconcile: leases of other containers too.
};

// Returns 0, or 1 if the ledger is not there or cannot be trusted.
int run_ledger(const LedgerOptions& options);

}  // namespace hf::cli
