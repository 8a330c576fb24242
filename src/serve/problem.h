// A request that gets an error for an answer. Thread safety: the loop's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/budget.h"
#include "net/http_server.h"

namespace hf::serve {

struct Problem {
  int status = 400;
  std::string code = {};                // Stable, for programs.
  std::string message = {};             // One sentence.
  std::string param = {};               // The field of the request at fault, if it is one.
  std::int64_t retry_after = 0;         // Seconds; 0: a second for 429 and 503, else not said.
  std::optional<Refusal> refusal = {};  // The budget that says no.
};

// The error's JSON, in OpenAI's form.
std::string error_json(const Problem& problem);
// Answers with it. What may be tried again soon says so (Retry-After).
void refuse(net::Responder& responder, const Problem& problem, net::Headers headers = {});

}  // namespace hf::serve
