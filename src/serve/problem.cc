#include "serve/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "wire/hybrid_reply.h"

namespace hf::serve {
namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "insufficient_quota";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

// What a client would only pay for once more by asking again. Clients of OpenAI's would: they try
// again after every 409, 429 and 5xx unless a header says not to.
bool is_final(const Problem& problem) {
  return problem.status == 402 || problem.status == 403 || problem.status == 409 ||
         problem.status == 422 || problem.code == "deadline_exceeded" ||
         problem.code == "run_cancelled" || problem.code == "upstream_failed";
}

}  // namespace

std::string error_json(const Problem& problem) {
  return wire::write_server_error({.message = problem.message,
                                   .type = type_of(problem.status),
                                   .param = problem.param,
                                   .code = problem.code,
                                   .refusal = problem.refusal});
}

void refuse(net::Responder& responder, const Problem& problem, net::Headers headers) {
  const bool is_passing = !is_final(problem) && (problem.status == 429 || problem.status == 503);
  const std::int64_t wait = std::max<std::int64_t>(problem.retry_after, is_passing ? 1 : 0);
  if (wait > 0) headers.emplace_back("Retry-After", fmt::format("{}", wait));
  if (is_final(problem)) headers.emplace_back("x-should-retry", "false");
  if (problem.status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  responder.send(problem.status, "application/json", error_json(problem), std::move(headers));
}

}  // namespace hf::serve
