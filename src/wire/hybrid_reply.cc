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
      {"usd", to_usd(totals.usd)},
      {"pico_usd", totals.usd.count()},
      {"budget_left",
       {{"usd", left.usd ? json::value(to_usd(*left.usd)) : json::value(nullptr)},
        {"cloud_tokens",
         left.cloud_tokens ? json::value(left.cloud_tokens->count()) : json::value(nullptr)}}},
      {"degraded", json::array(degraded.begin(), degraded.end())},
      {"lowered", json::array(lowered.begin(), lowered.end())}};
  return to_text(object);
}

void add_summary_headers(const Receipt& receipt,
                         std::vector<std::pair<std::string, std::string>>& headers) {
  const Totals totals = totals_of(receipt);
  const Left left = left_of(receipt.record.budget_state);
  headers.reserve(headers.size() + 12);
  headers.emplace_back("x-hybridflow-run", receipt.run);
  headers.emplace_back("x-hybridflow-outcome", outcome_of(receipt));
  const auto add = [&headers](const char* name, std::int64_t number) {
    headers.emplace_back(name, fmt::format_int(number).c_str());
  };
  add("x-hybridflow-edge-calls", totals.edge_calls);
  add("x-hybridflow-cloud-calls", totals.cloud_calls);
  add("x-hybridflow-edge-tokens", totals.edge_tokens.count());
  add("x-hybridflow-cloud-tokens", totals.cloud_tokens.count());
  headers.emplace_back("x-hybridflow-usd", usd_text(totals.usd));
  add("x-hybridflow-degraded", static_cast<std::int64_t>(receipt.record.degraded.size()));
  if (left.usd) headers.emplace_back("x-hybridflow-left-usd", usd_text(*left.usd));
  if (left.cloud_tokens) add("x-hybridflow-left-cloud-tokens", left.cloud_tokens->count());
}

std::string with_summary(std::string answer, std::string_view summary) {
  answer.pop_back();  // The brace.
  return std::move(answer) + R"(,"hybridflow":)" + std::string(summary) + "}";
}

std::string write_server_error(const ServerError& error) {
  json::object object{
      {"message", error.message}, {"type", error.type}, {"param", nullptr}, {"code", error.code}};
  if (!error.param.empty()) object["param"] = error.param;
  if (const auto& refusal = error.refusal) {
    const bool is_usd = refusal->axis == Axis::kUsd;
    const auto amount = [&](std::int64_t count) {
      return is_usd ? json::value(to_usd(PicoUsd(count))) : json::value(count);
    };
    const std::int64_t left = refusal->limit - refusal->spent - refusal->held;
    object["hybridflow"] = {
        {"scope", refusal->scope},         {"axis", is_usd ? "usd" : "cloud_tokens"},
        {"limit", amount(refusal->limit)}, {"spent", amount(refusal->spent)},
        {"held", amount(refusal->held)},   {"left", amount(std::max<std::int64_t>(left, 0))},
        {"asked", amount(refusal->asked)}};
  }
  return to_text(json::object{{"error", std::move(object)}});
}

namespace {

json::object model_json(std::string_view name, std::int64_t created) {
  return {{"id", name}, {"object", "model"}, {"created", created}, {"owned_by", "hybridflow"}};
}

}  // namespace

std::string write_models(const std::vector<std::string>& names, std::int64_t created) {
  json::array models;
  for (const std::string& name : names) models.push_back(model_json(name, created));
  return to_text(json::object{{"object", "list"}, {"data", std::move(models)}});
}

std::string write_model(std::string_view name, std::int64_t created) {
  return to_text(model_json(name, created));
}

std::string write_run_list(const std::vector<RunLine>& runs, bool has_more) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
  };
  json::array data;
  for (const RunLine& run : runs) {
    data.push_back({{"id", run.run},
                    {"object", "run"},
                    {"created", run.created},
                    {"model", text_or_null(run.model)},
                    {"key", text_or_null(run.key)},
                    {"outcome", run.outcome},
                    {"usd", to_usd(run.usd)},
                    {"tokens", run.tokens.count()}});
  }
  return to_text(
      json::object{{"object", "list"}, {"data", std::move(data)}, {"has_more", has_more}});
}

std::string write_budgets(const std::vector<BudgetLine>& budgets) {
  const auto axis = [](auto limit, auto spent, auto held, auto number) {
    json::object object{
        {"limit", nullptr}, {"spent", number(spent)}, {"held", number(held)}, {"left", nullptr}};
    if (limit) {
      object["limit"] = number(*limit);
      object["left"] = number(std::max(*limit - spent - held, decltype(spent)(0)));
    }
    return object;
  };
  json::array data;
  for (const BudgetLine& budget : budgets) {
    const BudgetState& state = budget.state;
    json::object line{{"name", budget.name},
                      {"scope", nullptr},
                      {"usd", axis(state.usd_limit, state.spent.usd, state.held.usd, to_usd)},
                      {"cloud_tokens",
                       axis(state.cloud_tokens_limit, state.spent.cloud_tokens,
                            state.held.cloud_tokens, [](Tokens tokens) { return tokens.count(); })},
                      {"renews_at", nullptr}};
    if (!budget.scope.empty()) line["scope"] = budget.scope;
    if (budget.renews_at) line["renews_at"] = *budget.renews_at;
    data.push_back(std::move(line));
  }
  return to_text(json::object{{"object", "list"}, {"data", std::move(data)}});
}

std::expected<Feedback, RequestFault> read_feedback(std::string_view body) {
  const Result<json::value> value = parse_json(body);
  const json::object* object = value ? value->if_object() : nullptr;
  if (object == nullptr)
    return std::unexpected(RequestFault{"The body must be a JSON object.", "", "invalid_json"});
  if (Fault fault = check_known(*object, "feedback", {"correct", "subtask"}))
    return std::unexpected(*std::move(fault));
  Feedback feedback;
  const auto correct = find_number(*object, "correct");
  if (!correct || !(*correct >= 0 && *correct <= 1))
    return std::unexpected(invalid_field("correct", "a number from 0 to 1"));
  feedback.correct = *correct;
  if (given(*object, "subtask") == nullptr) return feedback;
  const auto subtask = find_string(*object, "subtask");
  if (!subtask) return std::unexpected(invalid_field("subtask", "the label of a subtask"));
  feedback.subtask = *subtask;
  return feedback;
}

std::string write_noted(std::string_view what) {
  return to_text(json::object{{"noted", what}});
}

std::string write_run_state(std::string_view run, std::string_view outcome) {
  return to_text(json::object{{"run", run}, {"outcome", outcome}});
}

}  // namespace hf::wire
