// `hybridflow ledger`: what the durable budget scopes have spent and lent, and the settling of
// leases whose owners are gone.
#pragma once

#include <cstdint>
#include <string>

namespace hf::cli {

enum class LedgerAction : std::uint8_t { kShow, kReconcile };

struct LedgerOptions {
  LedgerAction action = LedgerAction::kShow;
  std::string store;  // Path of the file; empty: the usual one.
  bool json = false;
  bool elsewhere = false;  // Reconcile: leases of other containers too.
};

// Returns 0, or 1 if the ledger is not there or cannot be trusted.
int run_ledger(const LedgerOptions& options);

}  // namespace hf::cli
