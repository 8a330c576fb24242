#include "runtime/endpoint_call.h"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

#include "runtime/chat_request.h"
#include "wire/chat.h"
#include "wire/json.h"

namespace hf {
namespace {

std::chrono::milliseconds milliseconds(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

// The body with the name of the model, and with a cap at the end of its object if it needs one.
std::string forwarded(const Forward& forward, std::string_view model, Tokens cap) {
  std::string body = forward.before + wire::quoted(model) + forward.after;
  if (forward.adds_cap)
    body.insert(body.rfind('}'), fmt::format(R"(,"max_tokens":{})", cap.count()));
  return body;
}

}  // namespace

net::Call call_to(const EndpointConfig& endpoint, const EngineAddress& address,
                  const Blackboard& board, const StartCall& command, std::uint32_t plan_steps_max) {
  const auto& forward = board.query.forward;
  net::Call call = endpoint.engine ? engine_call(address) : net::Call{};
  if (!endpoint.engine) call.url = endpoint.url;
  call.url += forward ? forward->path : "/chat/completions";
  const bool is_streamed = !forward || forward->is_streamed;
  call.headers.reserve(3);
  call.headers.emplace_back("Content-Type", "application/json");
  call.headers.emplace_back("Accept", is_streamed ? "text/event-stream" : "application/json");
  if (!endpoint.api_key.empty())
    call.headers.emplace_back("Authorization", "Bearer " + endpoint.api_key);
  call.body = forward
                  ? forwarded(*forward, endpoint.model, command.max_tokens)
                  : wire::write_chat_request(request_of(board, command, endpoint, plan_steps_max));
  call.connect_timeout = milliseconds(endpoint.timeouts.connect);
  call.first_byte_timeout = milliseconds(endpoint.timeouts.first_token);
  call.gap_timeout = milliseconds(endpoint.timeouts.gap);
  call.total_timeout = milliseconds(endpoint.timeouts.total);
  return call;
}

}  // namespace hf
