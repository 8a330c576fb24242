#include "runtime/chat_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

#include "base/utf8.h"

namespace hf {
namespace {

// Template marks and the role of one message; the prompts' own overhead has room for two.
constexpr std::size_t kMessageBytes = 32;

}  // namespace

std::string chat_context(std::span<const ChatMessage> messages) {
  if (messages.size() < 2) return "";
  const auto before = messages.first(messages.size() - 1);
  std::vector<std::string_view> kept(before.size());
  std::size_t left = kContextBytesMax;
  const auto keep = [&](std::size_t i) {
    const std::string_view text = before[i].content;
    kept[i] = text.substr(0, complete_utf8_prefix(text.substr(0, left)));
    left -= kept[i].size();
  };
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].role == "system") keep(i);
  }
  for (std::size_t i = before.size(); i-- > 0;) {
    if (before[i].role != "system") keep(i);
  }
  std::string text = "What was said before the question, for context only:\n";
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (kept[i].empty()) continue;
    const bool is_whole = kept[i].size() == before[i].content.size();
    fmt::format_to(std::back_inserter(text), "{}: {}{}\n", before[i].role, kept[i],
                   is_whole ? "" : " […]");
  }
  return text + "End of what was said before.\n\n";
}

std::uint32_t question_bytes(const UserQuery& query, std::string_view context) {
  std::size_t whole = 0;
  for (const ChatMessage& message : query.messages) whole += message.content.size() + kMessageBytes;
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(std::max(whole, query.question.size() + context.size()),
                            std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace hf
