#include "runtime/chat_call.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace hf {
namespace {

constexpr std::size_t kErrorBodyMax = 64 * 1024;
constexpr std::string_view kBlank = " \t\r\n";

Failure failure_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return Failure::kUnauthorized;
    case 404:
      return Failure::kNotFound;
    case 408:
      return Failure::kTimeout;
    case 429:
    case 503:
    case 529:
      return Failure::kOverloaded;
    default:
      return status >= 500 ? Failure::kServer : Failure::kRejected;
  }
}

Failure failure_of_error(net::CallError error) {
  switch (error) {
    case net::CallError::kConnect:
      return Failure::kRefused;
    case net::CallError::kTimeout:
      return Failure::kTimeout;
    case net::CallError::kCut:
      return Failure::kCut;
    case net::CallError::kTooLarge:
    case net::CallError::kProtocol:
    case net::CallError::kNone:
      return Failure::kMalformed;
  }
  return Failure::kMalformed;
}

}  // namespace

ChatCall::ChatCall(net::HttpClient& client, net::Call call, Listener listener)
    : client_(client), listener_(std::move(listener)) {
  id_ = client_.start(
      std::move(call),
      {.on_bytes = [this](int status, std::string_view bytes) { take_bytes(status, bytes); },
       .on_done = [this](const net::CallResult& result) { take_result(result); }});
}

ChatCall::~ChatCall() {
  cancel();
}

void ChatCall::cancel() {
  is_over_ = true;
  if (id_) client_.cancel(*std::exchange(id_, std::nullopt));
}

void ChatCall::take_bytes(int status, std::string_view bytes) {
  if (is_over_) return;
  if (status < 200 || status > 299) {
    body_.append(bytes.substr(0, kErrorBodyMax - std::min(kErrorBodyMax, body_.size())));
    return;
  }
  ended_.billable = true;
  if (form_ == Form::kUnknown) {
    const std::size_t first = bytes.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return;
    form_ = bytes[first] == '{' || bytes[first] == '<' ? Form::kWhole : Form::kStream;
  }
  if (form_ == Form::kWhole) {
    body_.append(bytes);
    return;
  }
  const auto pushed = parser_.push(bytes, [this](const wire::SseEvent& event) {
    if (!is_over_) take_event(event);
  });
  if (!pushed && !is_over_) fail(Failure::kMalformed, pushed.error().message);
}

void ChatCall::take_event(const wire::SseEvent& event) {
  if (event.data == "[DONE]") {
    saw_end_mark_ = true;
    return;
  }
  auto piece = wire::read_chat_chunk(event.data);
  if (!piece) {
    const bool is_said_by_server = piece.error().code == Code::kUnavailable;
    return fail(is_said_by_server ? Failure::kServer : Failure::kMalformed, piece.error().message);
  }
  take_piece(*piece);
}

void ChatCall::take_piece(const wire::ChatPiece& piece) {
  if (piece.usage) ended_.usage = piece.usage;
  if (piece.signals) ended_.signals = piece.signals;
  for (const wire::TokenLogprob& token : piece.logprobs) {
    logprob_sum_ += token.logprob;
    ++logprobs_;
    if (token.top.size() >= 2) {
      margin_sum_ += std::exp(token.top[0].second) - std::exp(token.top[1].second);
      ++margins_;
    }
  }
  if (piece.finish_reason) {
    has_finish_reason_ = true;
    ended_.cut_by_length = *piece.finish_reason == "length";
  }
  if (piece.content.empty()) return;
  ++pieces_;
  text_.append(piece.content);
  listener_.on_text(piece.content);
}

void ChatCall::take_result(const net::CallResult& result) {
  id_.reset();
  if (is_over_) return;
  ended_.retry_after = result.retry_after;
  // A connection that breaks behind a complete answer takes nothing away from it.
  if (result.error == net::CallError::kCut && saw_end_mark_) return end_stream();
  if (result.error != net::CallError::kNone) {
    // Without an answer's head it is unknown whether the endpoint has begun to work: only a
    // connection that never stood is surely free.
    ended_.billable = result.error != net::CallError::kConnect;
    return fail(failure_of_error(result.error), result.message);
  }
  if (result.status < 200 || result.status > 299) {
    const std::string said = wire::read_chat_error(body_);
    return fail(failure_of_status(result.status),
                said.empty() ? fmt::format("HTTP {}", result.status)
                             : fmt::format("HTTP {}: {}", result.status, said));
  }
  end_stream();
}

void ChatCall::end_stream() {
  if (form_ == Form::kWhole) {
    const auto piece = wire::read_chat_answer(body_);
    if (!piece) {
      const bool is_said_by_server = piece.error().code == Code::kUnavailable;
      return fail(is_said_by_server ? Failure::kServer : Failure::kMalformed,
                  is_said_by_server ? piece.error().message
                                    : "the answer is not a chat completion in JSON");
    }
    has_finish_reason_ = true;
    take_piece(*piece);
  }
  if (form_ == Form::kUnknown) return fail(Failure::kMalformed, "the answer was empty");
  if (!has_finish_reason_ && !saw_end_mark_) {
    return fail(Failure::kCut, "the stream ended before the answer was complete");
  }
  if (text_.find_first_not_of(kBlank) == std::string::npos) {
    return fail(Failure::kMalformed, "the answer has no text");
  }
  if (!ended_.signals && logprobs_ > 0) {
    ended_.signals = Signals{.mean_logprob = logprob_sum_ / logprobs_,
                             .margin = margins_ > 0 ? margin_sum_ / margins_ : 0};
  }
  finish();
}

void ChatCall::fail(Failure failure, std::string detail) {
  ended_.failure = failure;
  ended_.detail = std::move(detail);
  finish();
}

void ChatCall::finish() {
  cancel();
  listener_.on_end(ended_);
}

}  // namespace hf
