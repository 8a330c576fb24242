#include "serve/chat_run.h"

#include <utility>

#include "serve/problem.h"
#include "wire/hybrid_reply.h"

namespace hf::serve {
namespace {

Problem problem_of(const RunRecord& record) {
  switch (record.outcome.value_or(Outcome::kUnavailable)) {
    case Outcome::kRefused:
      return {402, "budget_exceeded", record.trouble, ""};
    case Outcome::kDeadline:
      return {504, "deadline_exceeded", record.trouble, ""};
    case Outcome::kCancelled:
      return {503, "run_cancelled", record.trouble, ""};
    default:
      return record.calls.empty() ? Problem{503, "no_endpoint", record.trouble, ""}
                                  : Problem{502, "upstream_failed", record.trouble, ""};
  }
}

}  // namespace

ChatRun::ChatRun(std::shared_ptr<net::Responder> responder, Options options,
                 std::move_only_function<void()> give_up, Done done)
    : responder_(std::move(responder)),
      options_(std::move(options)),
      give_up_(std::move(give_up)),
      done_(std::move(done)) {
  responder_->on_close([this] { abandon(); });
}

wire::ChatPiece ChatRun::head() const {
  wire::ChatPiece piece;
  piece.id = "chatcmpl-" + options_.run;
  piece.model = options_.model;
  piece.created = options_.created;
  return piece;
}

void ChatRun::begin() {
  has_begun_ = true;
  responder_->begin(200, "text/event-stream",
                    {{"Cache-Control", "no-cache"}, {"x-hybridflow-run", options_.run}});
}

void ChatRun::write(const wire::ChatPiece& piece, bool is_first, std::string_view summary) {
  std::string chunk = wire::write_chat_chunk(piece, is_first);
  if (!summary.empty()) chunk = wire::with_summary(std::move(chunk), summary);
  responder_->write(wire::sse_frame(chunk));  // A client that is too slow is told by on_close.
}

void ChatRun::on_answer_text(std::string_view text) {
  if (!options_.is_streamed || !responder_) return;
  const bool is_first = !has_begun_;
  if (is_first) begin();
  wire::ChatPiece piece = head();
  piece.content = text;
  write(piece, is_first);
}

// What has been sent cannot be taken back, and no client could tell the new text from the old.
void ChatRun::on_answer_restart() {
  if (!has_begun_ || !responder_) return;
  const Problem problem{
      502, "answer_restarted",
      "The endpoint failed in the middle of the answer; what was streamed is not complete. Send "
      "the request again.",
      ""};
  responder_->write(wire::sse_frame(error_json(problem)));
  responder_->end();
  abandon();
}

void ChatRun::abandon() {
  responder_.reset();
  if (give_up_) std::exchange(give_up_, nullptr)();
}

void ChatRun::on_finish(const Receipt& receipt) {
  give_up_ = nullptr;  // There is nothing left to give up.
  if (responder_) {
    const Outcome outcome = receipt.record.outcome.value_or(Outcome::kUnavailable);
    const bool is_answered = outcome == Outcome::kAnswered || outcome == Outcome::kDegraded;
    if (!is_answered) {
      fail(receipt);
    } else if (options_.is_streamed) {
      end_stream(receipt);
    } else {
      answer_whole(receipt);
    }
    responder_.reset();
  }
  done_(receipt);
}

void ChatRun::end_stream(const Receipt& receipt) {
  const bool is_first = !has_begun_;
  if (is_first) begin();
  const std::string summary = wire::write_run_summary(receipt, options_.lowered);
  wire::ChatPiece last = head();
  last.finish_reason = wire::finish_reason_of(receipt);
  write(last, is_first, options_.wants_usage ? std::string_view() : summary);
  if (options_.wants_usage) {
    wire::ChatPiece usage = head();
    usage.usage = wire::usage_of(receipt);
    write(usage, false, summary);
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
                   wire::summary_headers(receipt));
}

void ChatRun::fail(const Receipt& receipt) {
  const Problem problem = problem_of(receipt.record);
  if (!has_begun_) return refuse(*responder_, problem, wire::summary_headers(receipt));
  responder_->write(wire::sse_frame(error_json(problem)));
  responder_->end();
}

}  // namespace hf::serve
