// Which runs are remembered, and for how long: the table [history] of a configuration.
#pragma once

#include "base/result.h"
#include "base/units.h"

namespace hf {

class Table;

struct HistoryConfig {
  bool enabled = true;
  bool texts = false;  // Questions, tasks, outputs and answers are kept, too.
  Duration keep = std::chrono::hours(30 * 24);
};

// Reads the table of a whole document; the defaults if it has none.
Result<HistoryConfig> read_history(const Table& root);

}  // namespace hf
