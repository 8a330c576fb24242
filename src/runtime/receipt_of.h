// The receipt of a query that is over. Thread safety: none needed, there is no state.
#pragma once

#include "config/config.h"
#include "model/receipt.h"
#include "runtime/blackboard.h"

namespace hf {

// Takes the texts from the board.
Receipt receipt_of(Blackboard& board, const RunRecord& record, const Config& config);

}  // namespace hf
