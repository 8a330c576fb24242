// What the server of this program says about a run besides its answer: the object `hybridflow` of
// a chat completion, and its errors. docs/server.md lists every field.
// Thread safety: none needed, there is no state.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/receipt.h"
#include "wire/chat.h"

namespace hf::wire {

// What a run has used, all calls together, as it was booked.
Usage usage_of(const Receipt& receipt);
// "stop", or "length" for an answer that was cut off.
std::string_view finish_reason_of(const Receipt& receipt);

// The object `hybridflow`, as text. `lowered`: fields of the request that asked for more than the
// configuration allows.
std::string write_run_summary(const Receipt& receipt, const std::vector<std::string>& lowered);
// The same as names and values of headers.
std::vector<std::pair<std::string, std::string>> summary_headers(const Receipt& receipt);

// `answer` is the JSON of a whole answer or a chunk; adds `summary` to it as `hybridflow`.
std::string with_summary(std::string answer, std::string_view summary);

// Like write_chat_error; `param` may be empty.
std::string write_server_error(std::string_view message, std::string_view type,
                               std::string_view param, std::string_view code);

// The answer of GET /v1/models.
std::string write_models(const std::vector<std::string>& names, std::int64_t created);
// A run that is not over yet, or that was just asked to end.
std::string write_run_state(std::string_view run, std::string_view outcome);

}  // namespace hf::wire
