// What the tests of this folder share: a loop that gives up instead of hanging, an endpoint that
// does what the test says, and the frames that a chat endpoint streams.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/event_loop.h"
#include "net/http_server.h"
#include "wire/chat.h"

namespace hf {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<net::Responder>;

// Turns the loop until it is stopped; a test that waits for what never comes fails.
inline void turn(net::EventLoop& loop) {
  const auto guard = loop.at(loop.now() + 60s, [&loop] {
    ADD_FAILURE() << "what the test waits for has not come";
    loop.stop();
  });
  loop.run();
}

// Turns the loop until `holds`, for what has no event of its own.
inline void turn_until(net::EventLoop& loop, const std::function<bool()>& holds) {
  std::unique_ptr<net::EventLoop::Timer> timer;
  std::function<void()> look = [&] {
    if (holds()) return loop.stop();
    timer = loop.at(loop.now() + 2ms, look);
  };
  loop.post(look);
  turn(loop);
}

inline void turn_for(net::EventLoop& loop, Duration time) {
  const auto end = loop.at(loop.now() + time, [&loop] { loop.stop(); });
  loop.run();
}

inline std::string text_frame(std::string_view text) {
  wire::ChatPiece piece;
  piece.content = text;
  return wire::sse_frame(wire::write_chat_chunk(piece, false));
}

inline std::string finish_frame(std::string_view reason = "stop") {
  wire::ChatPiece piece;
  piece.finish_reason = reason;
  return wire::sse_frame(wire::write_chat_chunk(piece, false));
}

inline std::string usage_frame(std::int64_t prompt, std::int64_t completion) {
  wire::ChatPiece piece;
  piece.usage =
      Usage{.prompt = Tokens(prompt), .cached = Tokens(0), .completion = Tokens(completion)};
  return wire::sse_frame(wire::write_chat_chunk(piece, false));
}

inline void begin_stream(net::Responder& answer) {
  answer.begin(200, "text/event-stream");
}

inline void end_stream(net::Responder& answer) {
  answer.write(finish_frame() + usage_frame(100, 9) + std::string(wire::kSseDone));
  answer.end();
}

// A whole well-behaved answer: 100 tokens in, 9 out.
inline void stream(net::Responder& answer, std::string_view text) {
  begin_stream(answer);
  answer.write(text_frame(text));
  end_stream(answer);
}

// A chat endpoint that keeps what it is asked and leaves the answering to the test.
class ScriptedEndpoint {
 public:
  struct Asked {
    net::Request request;
    wire::ChatRequest chat;

    [[nodiscard]] const std::string& prompt() const { return chat.messages.back().content; }
    // Only a planner is shown what a plan looks like.
    [[nodiscard]] bool is_plan() const {
      return std::ranges::any_of(chat.messages, [](const ChatMessage& message) {
        return message.content.contains("<Plan>");
      });
    }
  };
  using Script = std::function<void(const Asked&, const Answer&)>;

  ScriptedEndpoint(net::EventLoop& loop, Script script) : script_(std::move(script)) {
    auto made = net::HttpServer::listen(
        loop, "127.0.0.1:0",
        [this](net::Request request, const Answer& answer) { take(std::move(request), answer); });
    EXPECT_TRUE(made.has_value());
    if (made) server_ = *std::move(made);
  }

  [[nodiscard]] std::string url() const { return "http://" + server_->address() + "/v1"; }
  [[nodiscard]] const std::vector<Asked>& asked() const { return asked_; }

 private:
  void take(net::Request request, const Answer& answer) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/v1/chat/completions");
    auto chat = wire::read_chat_request(request.body);
    if (!chat) {
      ADD_FAILURE() << chat.error().message;
      return answer->send(400, "text/plain", chat.error().message);
    }
    asked_.push_back({std::move(request), *std::move(chat)});
    const Asked asked = asked_.back();
    script_(asked, answer);
  }

  Script script_;
  std::vector<Asked> asked_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace hf
