// The receipt as JSON, version 1: what `ask --json` prints. docs/receipt.md lists every field.
#pragma once

#include <string>
#include <string_view>

#include "model/receipt.h"
#include "wire/json.h"

namespace hf::wire {

json::object receipt_json(const Receipt& receipt);

// Sums over the calls, exact integers; the same that the JSON's `totals` holds.
struct Totals {
  std::int64_t edge_calls = 0;
  std::int64_t cloud_calls = 0;
  Tokens edge_tokens;
  Tokens cloud_tokens;
  Tokens planner_tokens;
  PicoUsd usd;
  std::optional<PicoUsd> all_cloud_usd;  // The same tokens at the first cloud endpoint's price.
  Duration critical_path{};
};
Totals totals_of(const Receipt& receipt);

std::string_view name_of(Outcome outcome);
std::string_view name_of(Tier tier);
std::string_view name_of(Role role);

// Exact decimal dollars without trailing zeros: "0.00231".
std::string usd_text(PicoUsd usd);

}  // namespace hf::wire
