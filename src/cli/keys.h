// `hybridflow keys`: makes, shows, changes and ends the keys of the server (store/key_store.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/ledger.h"

namespace hf::cli {

enum class KeysAction : std::uint8_t { kAdd, kList, kRevoke, kRotate, kSet };

// As typed; empty: not given. "none" takes a limit away.
struct KeyLimits {
  std::string usd;
  std::string tokens;
  std::string period;
  std::string requests_per_minute;
  std::string in_flight;
  std::vector<std::string> models;
  std::string expires;
};

struct KeysOptions {
  KeysAction action = KeysAction::kList;
  LedgerPlace place;
  std::string name;
  KeyLimits limits;
  bool json = false;
};

// Returns 0; 1 if the ledger is not there or cannot be trusted; 2 if what is asked for cannot be.
int run_keys(const KeysOptions& options);

}  // namespace hf::cli
