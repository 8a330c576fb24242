#include "serve/forward_run.h"

#include <algorithm>
#include <utility>

#include "wire/hybrid_reply.h"

namespace hf::serve {

net::Headers ForwardRun::take_headers() {
  net::Headers headers = std::move(head_.headers);
  // What this server says of waiting it says itself.
  std::erase_if(headers,
                [](const auto& header) { return header.first.starts_with("retry-after"); });
  return headers;
}

net::Headers ForwardRun::take_headers(const Receipt& receipt) {
  net::Headers all = take_headers();
  wire::add_summary_headers(receipt, all);
  return all;
}

void ForwardRun::on_forward_head(EndpointId /*endpoint*/, const net::CallHead& head) {
  head_ = head;
  is_failure_ = false;
  if (!options_.is_streamed || !responder_) return;
  has_begun_ = true;
  net::Headers begun = take_headers();
  begun.emplace_back("Cache-Control", "no-cache");
  begun.emplace_back("x-hybridflow-run", options_.run);
  responder_->begin(head.status, head.content_type, std::move(begun));
}

void ForwardRun::on_forward_bytes(std::string_view bytes) {
  if (!responder_) return;
  if (options_.is_streamed) {
    responder_->write(bytes);
  } else {
    body_ = bytes;
  }
}

void ForwardRun::on_forward_error(const net::CallHead& head, std::string_view body) {
  head_ = head;
  body_ = body;
  is_failure_ = true;
}

void ForwardRun::on_answer_restart() {
  if (has_begun_ && responder_) break_off_restarted();
}

void ForwardRun::answer(const Receipt& receipt) {
  const bool is_whole = std::ranges::find(receipt.record.calls, CallStatus::kDone,
                                          &CallRecord::status) != receipt.record.calls.end();
  if (is_answered(receipt.record) && is_whole) {
    if (options_.is_streamed) return responder_->end();
    if (options_.adds_summary && body_.ends_with('}')) {
      body_ =
          wire::with_summary(std::move(body_), wire::write_run_summary(receipt, options_.lowered));
    }
    return responder_->send(head_.status, head_.content_type, std::move(body_),
                            take_headers(receipt));
  }
  // Half of a stream is an answer to a person, but not to a program.
  const Problem problem =
      is_answered(receipt.record)
          ? Problem{504, "deadline_exceeded",
                    "The deadline passed before the endpoint's answer was complete.", ""}
          : problem_of(receipt.record);
  if (has_begun_) return break_off(problem);
  // A fault of the request is the client's to see as the endpoint puts it.
  const bool is_clients =
      head_.status >= 400 && head_.status < 500 && head_.status != 401 && head_.status != 403;
  if (is_failure_ && is_clients && problem.status == 502) {
    net::Headers all = take_headers(receipt);
    if (head_.status == 429) all.emplace_back("Retry-After", "1");
    return responder_->send(head_.status, head_.content_type, std::move(body_), std::move(all));
  }
  net::Headers summary;
  wire::add_summary_headers(receipt, summary);
  refuse(*responder_, problem, std::move(summary));
}

}  // namespace hf::serve
