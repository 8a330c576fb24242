#include "runtime/chat_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/http_failure.h"

namespace hf {
namespace {

constexpr std::size_t kRefusalBytesMax = 64 * 1024;
constexpr std::size_t kWholeBodyMax = wire::SseParser::kEventBytesMax;
constexpr std::string_view kBlank = " \t\r\n";

// What an answer is that is none. A server may write anything as its type.
std::string not_a_chat(std::string_view type) {
  type = type.substr(0, type.find(';'));
  const bool is_plain = std::ranges::all_of(type, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/.+-").contains(c);
  });
  return fmt::format("the answer is neither an event stream nor a chat completion in JSON{}",
                     type.empty() || !is_plain ? "" : fmt::format("; its type is {}", type));
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

}  // namespace

ChatCall::ChatCall(net::HttpClient& client, net::Call call, Listener listener)
    : client_(client),
      listener_(std::move(listener)),
      first_timeout_(call.first_byte_timeout),
      gap_timeout_(call.gap_timeout) {
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
    body_.append(bytes.substr(0, kRefusalBytesMax - std::min(kRefusalBytesMax, body_.size())));
    return;
  }
  ended_.billable = true;
  if (form_ == Form::kUnknown) {
    const std::size_t first = bytes.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return check_progress();
    form_ = bytes[first] == '{' || bytes[first] == '<' ? Form::kWhole : Form::kStream;
  }
  if (form_ == Form::kWhole) {
    if (body_.size() + bytes.size() > kWholeBodyMax)
      return fail(Failure::kMalformed, "the answer is larger than 4 MiB");
    body_.append(bytes);
    return;
  }
  const auto pushed = parser_.push(bytes, [this](const wire::SseEvent& event) {
    if (!is_over_) take_event(event);
  });
  if (!pushed && !is_over_) return fail(Failure::kMalformed, pushed.error().message);
  check_progress();
}

// The client's timeouts look at bytes, and so do not see a server that only keeps the connection
// alive.
void ChatCall::check_progress() {
  if (is_over_) return;
  const auto limit = has_event_ ? gap_timeout_ : first_timeout_;
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - last_event_);
  if (waited < limit) return;
  fail(has_event_ ? Failure::kGapTimeout : Failure::kFirstTokenTimeout,
       fmt::format("{} timeout: only signs of life within {} ms",
                   has_event_ ? "gap" : "first-token", limit.count()));
}

void ChatCall::take_event(const wire::SseEvent& event) {
  has_event_ = true;
  last_event_ = Clock::now();
  if (event.data == "[DONE]") {
    is_complete_ = true;
    return end_answer({});
  }
  if (event.name == "error") return fail(Failure::kServer, wire::read_chat_error(event.data));
  auto piece = wire::read_chat_chunk(event.data);
  if (piece) return take_piece(*piece);
  // Events of other names are not of this protocol.
  if (event.name != "message") return;
  const bool is_said_by_server = piece.error().code == Code::kUnavailable;
  fail(is_said_by_server ? Failure::kServer : Failure::kMalformed, piece.error().message);
}

void ChatCall::take_piece(const wire::ChatPiece& piece) {
  if (piece.usage) ended_.usage = piece.usage;
  if (piece.signals) ended_.signals = piece.signals;
  for (const wire::TokenLogprob& token : piece.logprobs) {
    logprob_sum_ += token.logprob;
    token_logprobs_.push_back(static_cast<float>(token.logprob));
    ++logprobs_;
    if (token.top.size() >= 2) {
      margin_sum_ += std::exp(token.top[0].second) - std::exp(token.top[1].second);
      ++margins_;
    }
  }
  if (piece.finish_reason) {
    is_complete_ = true;
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
  const bool is_whole = result.error == net::CallError::kNone;
  // A status of failure stands, even if the page with the words broke off.
  if (result.status >= 300 || (is_whole && result.status < 200)) {
    const std::string said = wire::read_chat_error(body_);
    return fail(failure_of_status(result.status),
                is_blank(said) ? fmt::format("HTTP {}", result.status)
                               : fmt::format("HTTP {}: {}", result.status, said));
  }
  // Without an answer's head it is unknown whether the endpoint has begun to work: only a
  // connection that never stood is surely free.
  ended_.billable =
      result.error != net::CallError::kConnect && result.error != net::CallError::kConnectTimeout;
  if (!is_whole) return fail(failure_of_error(result.error), result.message);
  end_answer(result.content_type);
}

void ChatCall::end_answer(std::string_view type) {
  if (form_ == Form::kUnknown) return fail(Failure::kMalformed, "the answer was empty");
  if (form_ == Form::kStream && !has_event_) return fail(Failure::kMalformed, not_a_chat(type));
  if (form_ == Form::kWhole) take_whole(type);
  if (is_over_) return;
  if (!is_complete_) return fail(Failure::kCut, "the stream ended before the answer was complete");
  if (is_blank(text_)) return fail(Failure::kMalformed, "the answer has no text");
  finish();
}

void ChatCall::take_whole(std::string_view type) {
  const auto piece = wire::read_chat_answer(body_);
  if (!piece) {
    const bool is_said_by_server = piece.error().code == Code::kUnavailable;
    return fail(is_said_by_server ? Failure::kServer : Failure::kMalformed,
                is_said_by_server ? piece.error().message : not_a_chat(type));
  }
  is_complete_ = true;
  take_piece(*piece);
}

void ChatCall::fail(Failure failure, std::string detail) {
  // Trouble behind a complete answer takes nothing away from it.
  if (!is_complete_ || is_blank(text_)) {
    ended_.failure = failure;
    ended_.detail = std::move(detail);
  }
  finish();
}

void ChatCall::finish() {
  if (is_over_) return;
  if (!ended_.signals && logprobs_ > 0) {
    ended_.signals = Signals{.mean_logprob = logprob_sum_ / logprobs_,
                             .low_logprob = tenth_percentile(token_logprobs_),
                             .margin = {}};
    if (margins_ > 0) ended_.signals->margin = margin_sum_ / margins_;
  }
  // Behind the end mark of a good answer there is only the end of the connection's turn.
  if (id_ && ended_.failure == Failure::kNone) client_.release(*std::exchange(id_, std::nullopt));
  cancel();
  listener_.on_end(ended_);
}

}  // namespace hf
