#include "serve/chat_run.h"

#include <fmt/format.h>

#include <utility>

#include "wire/hybrid_reply.h"

namespace hf::serve {

wire::ChatPiece ChatRun::head() const {
  wire::ChatPiece piece;
  piece.id = "chatcmpl-" + options_.run;
  piece.model = options_.model;
  piece.created = options_.created;
  return piece;
}

net::Headers ChatRun::headers(const Receipt& receipt) const {
  net::Headers headers;
  wire::add_summary_headers(receipt, headers);
  headers.emplace_back("x-request-id", options_.run);  // By which OpenAI's clients name it.
  return headers;
}

void ChatRun::begin() {
  has_begun_ = true;
  responder_->begin(200, "text/event-stream",
                    {{"Cache-Control", "no-cache"},
                     {"x-hybridflow-run", options_.run},
                     {"x-request-id", options_.run}});
}

void ChatRun::write(const wire::ChatPiece& piece, std::string_view summary) {
  std::string chunk = wire::write_chat_chunk(piece, !std::exchange(has_text_, true));
  if (!summary.empty()) chunk = wire::with_summary(std::move(chunk), summary);
  responder_->write(wire::sse_frame(chunk));  // A client that is too slow is told by on_close.
}

// Clients ignore comments; each keeps the connection alive, too.
void ChatRun::show(std::string_view event) {
  if (!options_.is_streamed || !responder_) return;
  if (!has_begun_) begin();
  responder_->write(fmt::format(": hybridflow {}\n\n", event));
}

void ChatRun::on_answer_text(std::string_view text) {
  if (!options_.is_streamed || !responder_) return;
  if (!has_begun_) begin();
  wire::ChatPiece piece = head();
  piece.content = text;
  write(piece);
}

void ChatRun::on_answer_restart() {
  if (has_text_ && responder_) break_off_restarted();
}

void ChatRun::answer(const Receipt& receipt) {
  if (!is_answered(receipt.record)) {
    fail(receipt);
  } else if (options_.is_streamed) {
    end_stream(receipt);
  } else {
    answer_whole(receipt);
  }
}

void ChatRun::end_stream(const Receipt& receipt) {
  if (!has_begun_) begin();
  const std::string summary = wire::write_run_summary(receipt, options_.lowered);
  wire::ChatPiece last = head();
  last.finish_reason = wire::finish_reason_of(receipt);
  write(last, options_.wants_usage ? std::string_view() : summary);
  if (options_.wants_usage) {
    wire::ChatPiece usage = head();
    usage.usage = wire::usage_of(receipt);
    write(usage, summary);
  }
  responder_->write(wire::kSseDone);
  responder_->end();
}

void ChatRun::answer_whole(const Receipt& receipt) {
  wire::ChatPiece piece = head();
  piece.content = receipt.answer;
  piece.finish_reason = wire::finish_reason_of(receipt);
  piece.usage = wire::usage_of(receipt);
  responder_->send(200, "application/json",
                   wire::with_summary(wire::write_chat_answer(piece),
                                      wire::write_run_summary(receipt, options_.lowered)),
                   headers(receipt));
}

void ChatRun::fail(const Receipt& receipt) {
  const Problem problem = problem_of(receipt.record);
  if (!has_begun_) return refuse(*responder_, problem, headers(receipt));
  break_off(problem);
}

}  // namespace hf::serve
