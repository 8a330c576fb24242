// One request in flight that is passed on as it came: the answer's bytes go to the listener as they
// are; only what the books need is read in passing.
//
// A whole answer is handed on when it is there, the events of a stream one by one as they come.
// Thread safety: none; callbacks run on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"
#include "runtime/chat_call.h"

namespace hf {

class ForwardCall {
 public:
  struct Options {
    bool is_streamed = false;
    bool hides_usage = false;  // The last chunk of usage was asked for by this program.
  };
  struct Listener {
    // Before the first bytes of an answer that is none of failure.
    std::move_only_function<void(const net::CallHead&)> on_head;
    std::move_only_function<void(std::string_view)> on_bytes;
    // An answer of failure, whole. `on_end` follows.
    std::move_only_function<void(const net::CallHead&, std::string_view)> on_error;
    std::move_only_function<void(const ChatCall::Ended&)> on_end;  // Once, unless destroyed before.
  };

  // `client` must outlive the call. The callbacks must not destroy the call.
  ForwardCall(net::HttpClient& client, net::Call call, Options options, Listener listener);
  ~ForwardCall() { cancel(); }
  ForwardCall(const ForwardCall&) = delete;
  ForwardCall& operator=(const ForwardCall&) = delete;

  // See ChatCall.
  void cancel();
  // Of the answer, handed on.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void take_bytes(std::string_view bytes);
  void take_events();
  void take_event(std::string_view event);
  void take_result(const net::CallResult& result);
  void hand_on(std::string_view bytes);
  void finish(Failure failure, std::string detail);
  [[nodiscard]] bool is_failure() const { return head_.status < 200 || head_.status > 299; }

  net::HttpClient& client_;
  const Options options_;
  Listener listener_;
  std::optional<net::HttpClient::Id> id_;
  net::CallHead head_;
  std::string body_;  // Not yet handed on.
  ChatCall::Ended ended_;
  std::uint64_t bytes_ = 0;
  bool is_complete_ = false;  // A finish reason or the end mark has come.
  bool is_over_ = false;
};

}  // namespace hf
