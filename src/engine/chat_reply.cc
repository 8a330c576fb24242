#include "engine/chat_reply.h"

#include <iterator>
#include <utility>

namespace hf::engine {

void send_error(net::Responder& responder, int status, std::string_view message,
                std::string_view code, net::Headers headers) {
  const std::string_view type = status == 429  ? "rate_limit_error"
                                : status < 500 ? "invalid_request_error"
                                               : "server_error";
  if (status == 429) headers.emplace_back("Retry-After", "1");
  responder.send(status, "application/json", wire::write_chat_error(message, type, code),
                 std::move(headers));
}

ChatReply::ChatReply(net::EventLoop& loop, std::shared_ptr<net::Responder> responder,
                     Options options, Done done)
    : loop_(loop),
      responder_(std::move(responder)),
      options_(std::move(options)),
      done_(std::move(done)),
      whole_(options_.head) {}

void ChatReply::push(Update update) {
  if (responder_ == nullptr) return;
  if (!options_.pace) return send(std::move(update));
  due_.push_back({options_.pace->next(loop_.now()), std::move(update)});
  if (due_.size() == 1) pump();
}

void ChatReply::pump() {
  while (!due_.empty() && responder_ != nullptr) {
    if (due_.front().at > loop_.now()) {
      timer_ = loop_.at(due_.front().at, [this] { pump(); });
      return;
    }
    Update update = std::move(due_.front().update);
    due_.pop_front();
    send(std::move(update));
  }
}

void ChatReply::send(Update update) {
  if (const auto* failure = std::get_if<JobFailed>(&update)) {
    send_failure(*failure);
  } else if (auto* piece = std::get_if<wire::ChatPiece>(&update)) {
    send_piece(std::move(*piece));
  }
}

void ChatReply::send_failure(const JobFailed& failure) {
  if (!has_begun_) {
    send_error(*responder_, failure.status, failure.message, failure.code, options_.headers);
  } else {
    // The status is gone out already: the error takes the place of the next piece.
    responder_->write(
        wire::sse_frame(wire::write_chat_error(failure.message, "server_error", failure.code)));
    responder_->end();
  }
  finish(failure.status);
}

void ChatReply::send_piece(wire::ChatPiece piece) {
  if (options_.fate.kind == LabFate::Kind::kCut &&
      (sent_ >= options_.fate.pieces || piece.finish_reason)) {
    return options_.is_streamed && has_begun_
               ? finish(499)
               : send_failure({500, "The lab let this request fail.", "lab_failure"});
  }
  ++sent_;
  piece.id = options_.head.id;
  piece.model = options_.head.model;
  piece.created = options_.head.created;
  if (options_.is_streamed) return write(piece);

  whole_.content += piece.content;
  std::ranges::move(piece.logprobs, std::back_inserter(whole_.logprobs));
  if (!piece.finish_reason) return;
  whole_.finish_reason = piece.finish_reason;
  whole_.usage = piece.usage;
  whole_.signals = piece.signals;
  responder_->send(200, "application/json", wire::write_chat_answer(whole_), options_.headers);
  finish(200);
}

void ChatReply::write(const wire::ChatPiece& piece) {
  wire::ChatPiece shown = piece;
  shown.usage.reset();
  std::string bytes = wire::sse_frame(wire::write_chat_chunk(shown, !has_begun_));
  if (piece.finish_reason) {
    if (options_.wants_usage) {
      wire::ChatPiece usage = options_.head;
      usage.usage = piece.usage;
      bytes += wire::sse_frame(wire::write_chat_chunk(usage, false));
    }
    bytes += wire::kSseDone;
  }
  if (!has_begun_) {
    net::Headers headers = options_.headers;
    headers.emplace_back("Cache-Control", "no-cache");
    responder_->begin(200, "text/event-stream", std::move(headers));
    has_begun_ = true;
  }
  if (!responder_->write(bytes)) return finish(499);
  if (!piece.finish_reason) return;
  responder_->end();
  finish(200);
}

void ChatReply::finish(int status) {
  if (responder_ == nullptr) return;
  responder_.reset();
  due_.clear();
  // The owner destroys this object then; not now, from inside its own functions.
  loop_.post([done = std::move(done_), status]() mutable { done(status); });
}

}  // namespace hf::engine
