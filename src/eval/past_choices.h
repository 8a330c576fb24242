// What can be learned from a receipt: its choices as numbers, and what the answers of edge and
// cloud say of one another. Thread safety: pure functions.
#pragma once

#include <optional>

#include "base/ids.h"
#include "model/past_choice.h"
#include "model/receipt.h"

namespace hf::eval {

// The choice that led to the result of a subtask; none if it has no result. REQUIRES: the receipt
// has the subtask.
std::optional<PastChoice> past_choice(const Receipt& receipt, SubtaskId subtask);

// Where an attempt on the edge was given to the cloud: 1 if both have the same final answer, 0 if
// they differ; none if there was no such thing, or one of them has no final answer.
std::optional<double> agreement(const Receipt& receipt, SubtaskId subtask);

}  // namespace hf::eval
