// What is to be evaluated, as it is typed: "0.05,0.1", "shuffled,drift", "2x@50%".
//
// Thread safety: pure functions. Errors say what was typed and what would be right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/orders.h"
#include "eval/stream.h"

namespace hf::eval {

// The parts between commas; none for an empty text.
std::vector<std::string> words_of(std::string_view text);

// Parts of the all-cloud cost, above 0 and at most 100.
Result<std::vector<double>> budgets_from(std::string_view text);

Result<std::vector<Order>> orders_from(std::string_view text);

// FACTORx@SHARE%, the factor above 0 and at most 1000, the share from 0 to 100.
Result<PriceChange> price_change_from(std::string_view text);

}  // namespace hf::eval
