// Any bytes: the chat codec refuses or understands; what it understands, it writes so that it reads
// the same again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "wire/chat.h"

namespace {

using namespace hf::wire;

void check_request(std::string_view text) {
  const auto request = read_chat_request(text);
  if (!request) {
    HF_ASSERT(!request.error().message.empty());
    return;
  }
  const std::string written = write_chat_request(*request);
  const auto again = read_chat_request(written);
  HF_ASSERT(again.has_value());
  HF_ASSERT(write_chat_request(*again) == written);
}

void check_piece(const hf::Result<ChatPiece>& piece) {
  if (!piece) {
    HF_ASSERT(!piece.error().message.empty());
    return;
  }
  HF_ASSERT(hf::is_utf8(piece->content));
  if (piece->usage) {
    for (const hf::Tokens tokens :
         {piece->usage->prompt, piece->usage->cached, piece->usage->completion}) {
      HF_ASSERT(tokens >= hf::Tokens(0) && tokens <= hf::Tokens(100'000'000));
    }
  }
  const auto again = read_chat_answer(write_chat_answer(*piece));
  HF_ASSERT(again.has_value() && again->content == piece->content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_request(text);
  check_piece(read_chat_answer(text));
  check_piece(read_chat_chunk(text));
  const std::string error = read_chat_error(text);
  HF_ASSERT(error.size() <= 300 && hf::is_utf8(error));
  return 0;
}
