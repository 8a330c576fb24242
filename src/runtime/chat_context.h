// A chat as the prompts of a plan are shown it: what was said before the question, as text.
// Thread safety: none needed, there is no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/chat.h"
#include "runtime/runtime.h"

namespace hf {

// Of the text that was said; instructions of the system are kept first, then what is newest.
inline constexpr std::size_t kContextBytesMax = 16 * 1024;

// What stands in front of the question in every prompt but that of the whole question; "" if the
// chat is only the question, its last message.
std::string chat_context(std::span<const ChatMessage> messages);

// The most bytes that the question takes in any prompt of this query, what was said before
// included: what the scheduler reckons with.
std::uint32_t question_bytes(const UserQuery& query, std::string_view context);

}  // namespace hf
