// A request that gets an error for an answer. Thread safety: the loop's thread only.
#pragma once

#include <string>

#include "net/http_server.h"

namespace hf::serve {

struct Problem {
  int status = 400;
  std::string code = {};     // Stable, for programs.
  std::string message = {};  // One sentence.
  std::string param = {};    // The field of the request at fault, if it is one.
};

// The error's JSON, in OpenAI's form.
std::string error_json(const Problem& problem);
// Answers with it. What may be tried again soon says so (Retry-After).
void refuse(net::Responder& responder, const Problem& problem, net::Headers headers = {});

}  // namespace hf::serve
