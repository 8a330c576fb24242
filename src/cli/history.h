// The history of runs (store/run_store.h) as the commands use it: `ask` starts from what was
// learned and keeps its receipt; `explain`, `feedback` and `route status` read it.
//
// Thread safety: none.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/config.h"
#include "model/receipt.h"
#include "runtime/router_model.h"
#include "store/run_store.h"

namespace hf::cli {

// Opens it where the environment says, making it if need be.
Result<store::RunStore> open_history();

// The error's sentence on standard error; its exit code.
int complain_of(const Error& error);

// The model with what was promoted for it. A history that cannot be read is complained of, and the
// model is as it was.
RouterModel with_learned(RouterModel model, const HistoryConfig& config);

// Stores a run, unless the configuration says not to. A failure is complained of and changes
// nothing else.
void keep_run(const HistoryConfig& config, const std::string& weights, std::string_view question,
              const Receipt& receipt);

}  // namespace hf::cli
