// One streaming chat completion in flight: bytes of the socket in, text and one ending out.
//
// Tolerates servers that answer whole although asked to stream, and whatever follows a complete
// answer. Sorts every trouble into the classes that the scheduler treats differently.
//
// Thread safety: none; callbacks run on the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "model/receipt.h"
#include "net/http_client.h"
#include "schedule/event.h"
#include "wire/chat.h"
#include "wire/sse.h"

namespace hf {

class ChatCall {
 public:
  struct Ended {
    Failure failure = Failure::kNone;
    std::string detail;
    std::optional<Duration> retry_after;
    std::optional<Usage> usage;
    bool billable = false;
    bool cut_by_length = false;
    std::optional<Signals> signals;
  };
  struct Listener {
    std::move_only_function<void(std::string_view)> on_text;  // A piece of the answer, in order.
    std::move_only_function<void(const Ended&)> on_end;  // Exactly once, unless destroyed before.
  };

  // `client` must outlive the call. The callbacks must not destroy the call.
  ChatCall(net::HttpClient& client, net::Call call, Listener listener);
  ~ChatCall();  // Cancels; the endpoint sees the connection close.
  ChatCall(const ChatCall&) = delete;
  ChatCall& operator=(const ChatCall&) = delete;

  // Closes the connection; no callback happens afterwards. The call may be destroyed later, for
  // example when one of its own callbacks is on the stack now.
  void cancel();

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::uint32_t pieces() const { return pieces_; }

 private:
  void take_bytes(int status, std::string_view bytes);
  void take_event(const wire::SseEvent& event);
  void take_piece(const wire::ChatPiece& piece);
  void take_result(const net::CallResult& result);
  void check_progress();
  // `type` is that of the answer, as far as known.
  void end_answer(std::string_view type);
  void take_whole(std::string_view type);
  void fail(Failure failure, std::string detail);
  void finish();

  using Clock = std::chrono::steady_clock;

  net::HttpClient& client_;
  Listener listener_;
  const std::chrono::milliseconds first_timeout_;
  const std::chrono::milliseconds gap_timeout_;
  Clock::time_point last_event_ = Clock::now();
  std::optional<net::HttpClient::Id> id_;
  wire::SseParser parser_;
  std::string body_;  // Of an error, or of an answer that is not a stream.
  std::string text_;
  Ended ended_;
  std::uint32_t pieces_ = 0;
  double logprob_sum_ = 0;
  std::vector<float> token_logprobs_;
  double margin_sum_ = 0;
  std::uint32_t logprobs_ = 0;
  std::uint32_t margins_ = 0;
  enum class Form : std::uint8_t { kUnknown, kStream, kWhole } form_ = Form::kUnknown;
  bool has_event_ = false;
  bool is_complete_ = false;  // A finish reason or the end mark has come.
  bool is_over_ = false;
};

}  // namespace hf
