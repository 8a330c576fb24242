// One call in a loop, against a server that does what the test says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/chat_call.h"
#include "scripted.h"

namespace hf {

using Script = std::function<void(const Answer&)>;

class ChatCallTest : public testing::Test {
 protected:
  void serve(Script script, net::ServerLimits limits = {}) {
    auto made = net::HttpServer::listen(
        loop_, "127.0.0.1:0",
        [script = std::move(script)](const net::Request&, const Answer& answer) { script(answer); },
        limits);
    ASSERT_TRUE(made.has_value());
    server_ = *std::move(made);
  }
  net::Call call() const {
    net::Call made;
    made.url = "http://" + server_->address() + "/v1/chat/completions";
    made.body = "{}";
    return made;
  }
  // One call to its end.
  ChatCall::Ended run(net::Call made) {
    ChatCall::Ended result;
    int endings = 0;
    texts_.clear();
    ChatCall chat(*client_, std::move(made),
                  {.on_text = [&](std::string_view text) { texts_.emplace_back(text); },
                   .on_end =
                       [&](const ChatCall::Ended& ended) {
                         result = ended;
                         ++endings;
                         loop_.stop();
                       }});
    turn(loop_);
    turn_for(loop_, 1ms);
    EXPECT_EQ(endings, 1);
    text_ = chat.text();
    EXPECT_EQ(chat.pieces(), texts_.size());
    return result;
  }
  ChatCall::Ended run(Script script) {
    serve(std::move(script));
    return run(call());
  }
  // A body in whole, as a stream that says the right type.
  ChatCall::Ended run_stream(const std::string& body) {
    return run([&](const Answer& answer) {
      begin_stream(*answer);
      answer->write(body);
      answer->end();
    });
  }

  net::EventLoop loop_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::HttpClient> client_ = net::HttpClient::create(loop_);
  std::vector<std::string> texts_;
  std::string text_;
};

}  // namespace hf
