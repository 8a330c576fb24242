// Goal: a server that drains refuses newcomers, owes nobody an answer at the end, and says when it
// has no connection left.
// Method: a real server on port 0 and raw sockets.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "net/http_server.h"
#include "raw.h"

namespace hf::net {
namespace {

using Answer = std::shared_ptr<Responder>;

class DrainTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = HttpServer::listen(loop_, "127.0.0.1:0", [this](const Request&, const Answer& a) {
      kept_ = a;
      loop_.stop();
    });
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = *std::move(made);
  }
  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
  Answer kept_;
};

TEST_F(DrainTest, IsOverAtOnceWithoutConnections) {
  server_->drain([this] { loop_.stop(); });
  loop_.run();
}

TEST_F(DrainTest, ClosesAConnectionThatWaitsAndAcceptsNoOther) {
  RawSocket idle = RawSocket::connect(server_->address());
  idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  loop_.run();
  kept_->send(200, "text/plain", "first");
  loop_.post([this] { server_->drain([this] { loop_.stop(); }); });
  std::string text;
  drive(loop_, [&] { text = idle.read_all(); });
  EXPECT_TRUE(text.ends_with("first")) << text;
  EXPECT_EQ(RawSocket::connect(server_->address()).read_all(), "cannot connect");
}

TEST_F(DrainTest, LetsAnAnswerThatIsOwedComeWhole) {
  auto client = std::make_unique<RawSocket>(RawSocket::connect(server_->address()));
  client->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  loop_.run();
  bool is_over = false;
  server_->drain([&] {
    is_over = true;
    loop_.stop();
  });
  loop_.post([&] {
    EXPECT_FALSE(is_over);
    kept_->send(200, "text/plain", "whole");
  });
  std::string text;
  drive(loop_, [&] { text = client->read_all(); });
  EXPECT_TRUE(text.contains("Connection: close\r\n")) << text;
  EXPECT_TRUE(text.ends_with("whole")) << text;
  client.reset();
  if (!is_over) loop_.run();
  EXPECT_TRUE(is_over);
}

}  // namespace
}  // namespace hf::net
