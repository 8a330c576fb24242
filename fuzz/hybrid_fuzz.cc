// Any bytes: the server's reader of requests refuses with a sentence and a code, or what it
// understood is within its bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "wire/hybrid_request.h"

namespace {

using namespace hf;

void check(const wire::HybridRequest& request) {
  HF_ASSERT(!request.chat.messages.empty());
  for (const ChatMessage& message : request.chat.messages) HF_ASSERT(is_utf8(message.content));
  HF_ASSERT(request.chat.messages.back().role == "user");
  HF_ASSERT(!request.chat.messages.back().content.empty());
  HF_ASSERT(!request.chat.logprobs && request.chat.grammar.empty());
  HF_ASSERT(request.plan != PlanMode::kGiven);
  const Budget& budget = request.budget;
  HF_ASSERT(!budget.usd || *budget.usd >= PicoUsd(0));
  HF_ASSERT(!budget.cloud_tokens || *budget.cloud_tokens >= Tokens(0));
  HF_ASSERT(!budget.deadline || *budget.deadline > Duration(0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request =
      wire::read_hybrid_request(std::string_view(reinterpret_cast<const char*>(data), size));
  if (request) {
    check(*request);
  } else {
    HF_ASSERT(!request.error().message.empty() && !request.error().code.empty());
  }
  return 0;
}
