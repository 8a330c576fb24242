#include "runtime/forward_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/http_failure.h"
#include "wire/chat.h"
#include "wire/sse.h"

namespace hf {
namespace {

constexpr std::size_t kErrorBodyMax = 64 * 1024;

// Where the first event of `text` ends, its blank line included; npos if it is not complete.
std::size_t end_of_event(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    std::size_t next = at + 1;
    if (next < text.size() && text[next] == '\r') ++next;
    if (next < text.size() && text[next] == '\n') return next + 1;
  }
  return std::string_view::npos;
}

// What stands behind `data:` in an event of one such line; else the whole event.
std::string_view data_of(std::string_view event) {
  constexpr std::string_view kField = "data:";
  const std::size_t at = event.starts_with(kField) ? 0 : event.find("\ndata:");
  if (at == std::string_view::npos) return event;
  std::string_view data = event.substr(event.find(kField, at) + kField.size());
  data = data.substr(0, data.find_first_of("\r\n"));
  data.remove_prefix(std::min(data.find_first_not_of(' '), data.size()));
  return data;
}

// A request that is passed on may name what the endpoint does not have or does not give to
// everybody: that says nothing of the endpoint to others.
Failure failure_of_forward(int status) {
  return status == 403 || status == 404 ? Failure::kRejected : failure_of_status(status);
}

}  // namespace

ForwardCall::ForwardCall(net::HttpClient& client, net::Call call, Options options,
                         Listener listener)
    : client_(client), options_(options), listener_(std::move(listener)) {
  id_ = client_.start(std::move(call),
                      {.on_head = [this](const net::CallHead& head) { head_ = head; },
                       .on_bytes = [this](int, std::string_view bytes) { take_bytes(bytes); },
                       .on_done = [this](const net::CallResult& result) { take_result(result); }});
}

void ForwardCall::cancel() {
  is_over_ = true;
  if (id_) client_.cancel(*std::exchange(id_, std::nullopt));
}

void ForwardCall::take_bytes(std::string_view bytes) {
  if (is_over_) return;
  const std::size_t most = is_failure()           ? kErrorBodyMax
                           : options_.is_streamed ? wire::SseParser::kEventBytesMax
                                                  : std::string_view::npos;
  ended_.billable = !is_failure();
  if (body_.size() + bytes.size() > most) {
    if (!is_failure()) return finish(Failure::kMalformed, "an event is larger than 4 MiB");
    bytes = bytes.substr(0, most - body_.size());
  }
  body_.append(bytes);
  if (options_.is_streamed && !is_failure()) take_events();
}

void ForwardCall::take_events() {
  std::size_t done = 0;
  for (std::string_view rest = body_; !is_over_;) {
    const std::size_t end = end_of_event(rest);
    if (end == std::string_view::npos) break;
    take_event(rest.substr(0, end));
    rest.remove_prefix(end);
    done += end;
  }
  body_.erase(0, done);
}

void ForwardCall::take_event(std::string_view event) {
  if (event.contains(R"("usage")")) {
    const std::string_view data = data_of(event);
    if (const auto usage = wire::read_usage(data)) {
      ended_.usage = usage;
      if (options_.hides_usage && wire::has_no_choices(data)) return;
    }
  }
  // A reason is never null twice: the first that is a string ends the answer.
  is_complete_ |= event.contains(R"("finish_reason":")") ||
                  event.contains(R"("finish_reason": ")") || data_of(event) == "[DONE]";
  hand_on(event);
}

void ForwardCall::hand_on(std::string_view bytes) {
  if (bytes_ == 0 && listener_.on_head) listener_.on_head(head_);
  if (is_over_) return;
  bytes_ += bytes.size();
  listener_.on_bytes(bytes);
}

void ForwardCall::take_result(const net::CallResult& result) {
  id_.reset();
  if (is_over_) return;
  ended_.retry_after = result.retry_after;
  const bool is_whole = result.error == net::CallError::kNone;
  if (result.status >= 300 || (is_whole && result.status < 200)) {
    listener_.on_error(head_, body_);
    const std::string said = wire::read_chat_error(body_);
    return finish(failure_of_forward(result.status),
                  said.empty() ? fmt::format("HTTP {}", result.status)
                               : fmt::format("HTTP {}: {}", result.status, said));
  }
  // Without an answer's head it is unknown whether the endpoint has begun to work: only a
  // connection that never stood is surely free.
  ended_.billable =
      result.error != net::CallError::kConnect && result.error != net::CallError::kConnectTimeout;
  if (!is_whole && !is_complete_) return finish(failure_of_error(result.error), result.message);
  if (options_.is_streamed) {
    if (!is_complete_) return finish(Failure::kCut, "the stream ended before the answer did");
    if (!body_.empty()) hand_on(std::exchange(body_, {}));
  } else {
    if (body_.empty()) return finish(Failure::kMalformed, "the answer was empty");
    ended_.usage = wire::read_usage(body_);
    hand_on(body_);
  }
  finish(Failure::kNone, "");
}

void ForwardCall::finish(Failure failure, std::string detail) {
  if (is_over_) return;
  ended_.failure = failure;
  ended_.detail = std::move(detail);
  cancel();
  listener_.on_end(ended_);
}

}  // namespace hf
