// OpenAI-compatible chat completions, both sides: what a client sends and a server reads, what a
// server answers and a client reads. JSON in and out; nothing here knows a socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/chat.h"
#include "model/receipt.h"
#include "model/usage.h"
#include "schedule/event.h"

namespace hf::wire {

struct ChatRequest {
  std::string model;
  std::vector<ChatMessage> messages;  // Multi-part text contents are joined on reading.
  bool stream = false;
  bool include_usage = false;        // stream_options.include_usage
  std::optional<Tokens> max_tokens;  // Also read from max_completion_tokens.
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::uint64_t> seed;
  std::vector<std::string> stop;
  bool logprobs = false;
  std::uint32_t top_logprobs = 0;
  std::string grammar;        // Extension: GBNF; empty if none.
  std::int32_t priority = 0;  // Extension: higher is served first.
};

// Reads and checks a request body. Unknown fields are ignored; a field of the wrong type, out of
// range, or not supported (n > 1, tools, non-text parts) is an error that names it.
Result<ChatRequest> read_chat_request(std::string_view body);

std::string write_chat_request(const ChatRequest& request);

struct TokenLogprob {
  std::string token;  // Its text; may be part of a character, repaired on writing.
  double logprob = 0;
  std::vector<std::pair<std::string, double>> top;
};

// One piece of an answer. A whole answer is one piece with everything set.
struct ChatPiece {
  std::string id;
  std::string model;
  std::int64_t created = 0;  // Unix seconds.
  std::string content;
  std::vector<TokenLogprob> logprobs;        // Of this piece; written only if not empty.
  std::optional<std::string> finish_reason;  // "stop" or "length", on the last piece with a choice.
  std::optional<Usage> usage;
  std::optional<Signals> signals;  // Extension `hybridflow.signals`.
};

// A server's whole answer (object chat.completion), and one chunk of a stream
// (chat.completion.chunk) without the SSE frame. `first` says the role. A piece that carries only
// usage has an empty `choices`.
std::string write_chat_answer(const ChatPiece& piece);
std::string write_chat_chunk(const ChatPiece& piece, bool first);

// A client's view of either of the two. Unknown fields are ignored. `content` is "" if absent; text
// in `reasoning_content` is not part of the answer. Token counts are clamped to 0..100 million.
Result<ChatPiece> read_chat_answer(std::string_view body);
Result<ChatPiece> read_chat_chunk(std::string_view data);

// The usage that a whole answer or a chunk of any kind tells, embeddings included; read without the
// rest of it, which may be long.
std::optional<Usage> read_usage(std::string_view answer);
// Whether a chunk of a stream has no choices, as the last one has that tells the usage.
bool has_no_choices(std::string_view chunk);

// A text as a string of JSON.
std::string quoted(std::string_view text);

// Errors in OpenAI's form: {"error": {"message": …, "type": …, "code": …}}.
std::string write_chat_error(std::string_view message, std::string_view type,
                             std::string_view code);
// The message of such an error, or the start of the body if it is another form; at most 300 bytes.
std::string read_chat_error(std::string_view body);

// "data: …\n\n", and the end mark of a stream.
std::string sse_frame(std::string_view data);
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";

}  // namespace hf::wire
