#include "serve/problem.h"

#include <string_view>
#include <utility>

#include "wire/hybrid_reply.h"

namespace hf::serve {
namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 402:
      return "insufficient_quota";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

}  // namespace

std::string error_json(const Problem& problem) {
  return wire::write_server_error(problem.message, type_of(problem.status), problem.param,
                                  problem.code);
}

void refuse(net::Responder& responder, const Problem& problem, net::Headers headers) {
  if (problem.status == 429 || problem.status == 503) headers.emplace_back("Retry-After", "1");
  responder.send(problem.status, "application/json", error_json(problem), std::move(headers));
}

}  // namespace hf::serve
