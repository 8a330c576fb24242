// A run as the history keeps it (store/run_store.h), what is said of it afterwards, and what is
// learned from that. Thread safety: that of the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/promotion.h"
#include "learn/corrections.h"
#include "model/receipt.h"
#include "store/run_store.h"

namespace hf::eval {

struct RunRowOptions {
  bool keeps_texts = false;  // Question, tasks, outputs and answers.
  std::string weights = {};  // Digest of the trained model; "" without one.
  std::string key = {};      // Who asked; "" without keys.
  std::int64_t at = 0;       // Seconds since 1970.
};

// The rows of one run.
store::KeptRun run_rows(const Receipt& receipt, std::string_view question,
                        const RunRowOptions& options);

// What somebody says of a result: how right it is, 0 to 1. Returns what is to be said of that.
// kInvalidInput: the run has no such result. `subtask`: its label; empty for the answer.
Result<std::string> take_feedback(store::RunStore& history, std::string_view run,
                                  std::string_view subtask, double correct, std::int64_t at);

// All judged choices of the runs with these weights, a query's beside one another.
Result<std::vector<JudgedChoice>> judged_choices(store::RunStore& history,
                                                 const std::string& weights);

// What new runs with these weights start from.
Result<learn::Corrections> serving_corrections(store::RunStore& history,
                                               const std::string& weights);

}  // namespace hf::eval
