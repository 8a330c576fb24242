#include "eval/settings.h"

#include <fmt/format.h>

#include <optional>

#include "base/number.h"

namespace hf::eval {
namespace {}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    words.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return words;
}

Result<std::vector<double>> budgets_from(std::string_view text) {
  std::vector<double> budgets;
  for (const std::string& word : words_of(text)) {
    const auto budget = parse_number<double>(word);
    if (!budget || !(*budget > 0 && *budget <= 100)) {
      return fail(Code::kInvalidInput,
                  fmt::format("'{}' is no budget; write parts of the all-cloud cost above 0, for "
                              "example 0.05,0.1,0.25,0.5.",
                              word));
    }
    budgets.push_back(*budget);
  }
  if (budgets.empty()) return fail(Code::kInvalidInput, "No budget is given.");
  return budgets;
}

Result<std::vector<Order>> orders_from(std::string_view text) {
  std::vector<Order> orders;
  for (const std::string& word : words_of(text)) {
    const auto order = order_named(word);
    if (!order) {
      return fail(
          Code::kInvalidInput,
          fmt::format("There is no order '{}'; choose from shuffled, sorted, drift.", word));
    }
    orders.push_back(*order);
  }
  if (orders.empty()) return fail(Code::kInvalidInput, "No order is given.");
  return orders;
}

Result<PriceChange> price_change_from(std::string_view text) {
  const std::size_t middle = text.find("x@");
  if (middle != std::string_view::npos && text.ends_with('%')) {
    const auto factor = parse_number<double>(text.substr(0, middle));
    const auto share = parse_number<double>(text.substr(middle + 2, text.size() - middle - 3));
    if (factor && share && *factor > 0 && *factor <= 1000 && *share >= 0 && *share <= 100) {
      return PriceChange{.factor = *factor, .at = *share / 100};
    }
  }
  return fail(Code::kInvalidInput,
              fmt::format("'{}' is no change of prices; write for example 2x@50% for twice the "
                          "price from half of the stream on.",
                          text));
}

}  // namespace hf::eval
