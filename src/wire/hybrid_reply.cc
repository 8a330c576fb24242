#include "wire/hybrid_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ranges>

#include "wire/json.h"
#include "wire/receipt_json.h"

namespace hf::wire {
namespace {

struct Left {
  std::optional<PicoUsd> usd;
  std::optional<Tokens> cloud_tokens;
};

// Of the query's own budget.
Left left_of(const BudgetState& state) {
  Left left;
  if (state.usd_limit) left.usd = std::max(*state.usd_limit - state.spent.usd, PicoUsd(0));
  if (state.cloud_tokens_limit) {
    left.cloud_tokens = std::max(*state.cloud_tokens_limit - state.spent.cloud_tokens, Tokens(0));
  }
  return left;
}

double usd_number(PicoUsd usd) {
  return static_cast<double>(usd.count()) / static_cast<double>(kPicoPerUsd);
}

std::string_view outcome_of(const Receipt& receipt) {
  return name_of(receipt.record.outcome.value_or(Outcome::kUnavailable));
}

}  // namespace

Usage usage_of(const Receipt& receipt) {
  Usage usage;
  for (const CallRecord& call : receipt.record.calls) usage += call.usage;
  return usage;
}

std::string_view finish_reason_of(const Receipt& receipt) {
  const auto& sink = receipt.record.sink;
  const auto gave_answer = [&](const CallRecord& call) {
    return call.subtask == sink && call.status == CallStatus::kDone;
  };
  const auto calls = receipt.record.calls | std::views::reverse;
  const auto last = std::ranges::find_if(calls, gave_answer);
  return last == calls.end() || last->cut_by_length ? "length" : "stop";
}

std::string write_run_summary(const Receipt& receipt, const std::vector<std::string>& lowered) {
  const Totals totals = totals_of(receipt);
  const Left left = left_of(receipt.record.budget_state);
  const auto& degraded = receipt.record.degraded;
  json::object object{
      {"run", receipt.run},
      {"outcome", outcome_of(receipt)},
      {"planned", receipt.plan_source != "none"},
      {"calls", {{"edge", totals.edge_calls}, {"cloud", totals.cloud_calls}}},
      {"tokens", {{"edge", totals.edge_tokens.count()}, {"cloud", totals.cloud_tokens.count()}}},
      {"usd", usd_number(totals.usd)},
      {"pico_usd", totals.usd.count()},
      {"budget_left",
       {{"usd", left.usd ? json::value(usd_number(*left.usd)) : json::value(nullptr)},
        {"cloud_tokens",
         left.cloud_tokens ? json::value(left.cloud_tokens->count()) : json::value(nullptr)}}},
      {"degraded", json::array(degraded.begin(), degraded.end())},
      {"lowered", json::array(lowered.begin(), lowered.end())}};
  return to_text(object);
}

std::vector<std::pair<std::string, std::string>> summary_headers(const Receipt& receipt) {
  const Totals totals = totals_of(receipt);
  const Left left = left_of(receipt.record.budget_state);
  std::vector<std::pair<std::string, std::string>> headers{
      {"x-hybridflow-run", receipt.run},
      {"x-hybridflow-outcome", std::string(outcome_of(receipt))},
      {"x-hybridflow-edge-calls", fmt::format("{}", totals.edge_calls)},
      {"x-hybridflow-cloud-calls", fmt::format("{}", totals.cloud_calls)},
      {"x-hybridflow-edge-tokens", fmt::format("{}", totals.edge_tokens.count())},
      {"x-hybridflow-cloud-tokens", fmt::format("{}", totals.cloud_tokens.count())},
      {"x-hybridflow-usd", usd_text(totals.usd)},
      {"x-hybridflow-degraded", fmt::format("{}", receipt.record.degraded.size())}};
  if (left.usd) headers.emplace_back("x-hybridflow-left-usd", usd_text(*left.usd));
  if (left.cloud_tokens) {
    headers.emplace_back("x-hybridflow-left-cloud-tokens",
                         fmt::format("{}", left.cloud_tokens->count()));
  }
  return headers;
}

std::string with_summary(std::string answer, std::string_view summary) {
  answer.pop_back();  // The brace.
  return std::move(answer) + R"(,"hybridflow":)" + std::string(summary) + "}";
}

std::string write_server_error(std::string_view message, std::string_view type,
                               std::string_view param, std::string_view code) {
  json::object error{{"message", message}, {"type", type}, {"param", nullptr}, {"code", code}};
  if (!param.empty()) error["param"] = param;
  return to_text(json::object{{"error", std::move(error)}});
}

std::string write_models(const std::vector<std::string>& names, std::int64_t created) {
  json::array models;
  for (const std::string& name : names) {
    models.push_back(
        {{"id", name}, {"object", "model"}, {"created", created}, {"owned_by", "hybridflow"}});
  }
  return to_text(json::object{{"object", "list"}, {"data", std::move(models)}});
}

std::string write_run_state(std::string_view run, std::string_view outcome) {
  return to_text(json::object{{"run", run}, {"outcome", outcome}});
}

}  // namespace hf::wire
