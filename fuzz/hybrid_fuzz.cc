// Any bytes: the server's reader of requests refuses with a sentence and a code, or what it
// understood is within its bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "wire/hybrid_request.h"
#include "wire/json.h"

namespace {

using namespace hf;

void check(const wire::HybridRequest& request, std::string_view body) {
  const wire::RawObject::Halves halves = wire::passed_on_body(body, true);
  HF_ASSERT(wire::parse_json(halves.before + "\"m\"" + halves.after).has_value());
  const Budget& budget = request.extension.budget;
  HF_ASSERT(!budget.usd || *budget.usd >= PicoUsd(0));
  HF_ASSERT(!budget.cloud_tokens || *budget.cloud_tokens >= Tokens(0));
  HF_ASSERT(!budget.deadline || *budget.deadline > Duration(0));
  HF_ASSERT(request.extension.plan != PlanMode::kGiven);
  if (request.chat.messages.empty()) return;  // It is passed on.
  for (const ChatMessage& message : request.chat.messages) HF_ASSERT(is_utf8(message.content));
  HF_ASSERT(request.chat.messages.back().role == "user");
  HF_ASSERT(!request.chat.messages.back().content.empty());
  HF_ASSERT(!request.chat.logprobs && request.chat.grammar.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = wire::read_hybrid_request(
      body, [](std::string_view model) { return model.starts_with('e'); });
  if (request) {
    check(*request, body);
  } else {
    HF_ASSERT(!request.error().message.empty() && !request.error().code.empty());
  }
  return 0;
}
