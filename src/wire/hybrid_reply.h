// What the server of this program says about a run besides its answer: the object `hybridflow` of
// a chat completion, and its errors. docs/server.md lists every field.
// Thread safety: none needed, there is no state.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/receipt.h"
#include "wire/chat.h"
#include "wire/request_field.h"

namespace hf::wire {

// What a run has used, all calls together, as it was booked.
Usage usage_of(const Receipt& receipt);
// "stop", or "length" for an answer that was cut off.
std::string_view finish_reason_of(const Receipt& receipt);

// The object `hybridflow`, as text. `lowered`: fields of the request that asked for more than the
// configuration allows.
std::string write_run_summary(const Receipt& receipt, const std::vector<std::string>& lowered);
// The same as names and values of further headers.
void add_summary_headers(const Receipt& receipt,
                         std::vector<std::pair<std::string, std::string>>& headers);

// `answer` is the JSON of a whole answer or a chunk; adds `summary` to it as `hybridflow`.
std::string with_summary(std::string answer, std::string_view summary);

// An error in OpenAI's form. A refusal is told in numbers, as `error.hybridflow`.
struct ServerError {
  std::string_view message;
  std::string_view type;
  std::string_view param;  // May be empty.
  std::string_view code;
  std::optional<Refusal> refusal = {};
};
std::string write_server_error(const ServerError& error);

// The answers of GET /v1/models and of one model of it.
std::string write_models(const std::vector<std::string>& names, std::int64_t created);
std::string write_model(std::string_view name, std::int64_t created);
// A run in a list: GET /v1/runs. The newest first.
struct RunLine {
  std::string run;
  std::int64_t created = 0;
  std::string model;  // Empty: not known any more.
  std::string key;
  std::string outcome;
  PicoUsd usd;
  Tokens tokens;
};
std::string write_run_list(const std::vector<RunLine>& runs, bool has_more);

// A budget of GET /v1/budgets.
struct BudgetLine {
  std::string name;
  std::string scope;  // Durable; empty: it lives as long as the process.
  BudgetState state;
  std::optional<std::int64_t> renews_at;  // Unix seconds.
};
std::string write_budgets(const std::vector<BudgetLine>& budgets);

// What somebody says of a run, the body of POST /v1/runs/{run}/feedback.
struct Feedback {
  double correct = 0;   // 0 to 1.
  std::string subtask;  // Its label; empty: the answer.
};
std::expected<Feedback, RequestFault> read_feedback(std::string_view body);
std::string write_noted(std::string_view what);

// A run that is not over yet, or that was just asked to end.
std::string write_run_state(std::string_view run, std::string_view outcome);

}  // namespace hf::wire
