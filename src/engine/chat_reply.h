// One chat's way out: pieces of an answer to a whole or streamed HTTP answer, at the lab's pace if
// there is one. Thread safety: the loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/job.h"
#include "engine/lab.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "wire/chat.h"

namespace hf::engine {

// Sends an error in OpenAI's form.
void send_error(net::Responder& responder, int status, std::string_view message,
                std::string_view code, net::Headers headers = {});

class ChatReply {
 public:
  struct Options {
    bool is_streamed = false;
    bool wants_usage = false;  // As a piece of its own at the end of a stream.
    wire::ChatPiece head;      // Id, model and time, for every piece.
    net::Headers headers;
    std::optional<LabPace> pace;
    LabFate fate;
  };
  // Called once, in a turn of its own, when nothing more will be sent; with the HTTP status, and
  // 499 if the client went away or was cut off.
  using Done = std::move_only_function<void(int status)>;

  ChatReply(net::EventLoop& loop, std::shared_ptr<net::Responder> responder, Options options,
            Done done);

  // The next piece, or why there is none.
  void push(Update update);
  // The client went away.
  void abandon() { finish(499); }

 private:
  struct Due {
    TimePoint at;
    Update update;
  };

  void pump();
  void send(Update update);
  void send_failure(const JobFailed& failure);
  void send_piece(wire::ChatPiece piece);
  void write(const wire::ChatPiece& piece);
  void finish(int status);

  net::EventLoop& loop_;
  std::shared_ptr<net::Responder> responder_;  // Null once finished.
  Options options_;
  Done done_;
  std::deque<Due> due_;
  std::unique_ptr<net::EventLoop::Timer> timer_;
  std::uint32_t sent_ = 0;  // Pieces.
  bool has_begun_ = false;  // The stream.
  wire::ChatPiece whole_;   // What there is of an answer that is not streamed.
};

}  // namespace hf::engine
