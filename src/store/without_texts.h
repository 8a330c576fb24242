// A receipt without what people and models have written: for a history that keeps numbers only.
// Thread safety: pure function.
#pragma once

#include "model/receipt.h"

namespace hf::store {

// Tasks, outputs, attempts, answer and repairs are blank, and so is every sentence that may quote
// an endpoint. Figures, names of endpoints, reasons of decisions and kinds of failures stay. Labels
// of steps that are no short names are replaced by numbers.
Receipt without_texts(Receipt receipt);

}  // namespace hf::store
