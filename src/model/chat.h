// A message of a chat, in the roles of the OpenAI protocol.
#pragma once

#include <string>

namespace hf {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;

  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

}  // namespace hf
