// Goal: the server speaks HTTP/1.1 correctly, keeps its limits and notices clients that leave.
// Method: a real server on port 0 or a Unix socket, and raw sockets that show the bytes.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "raw.h"

namespace hf::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<Responder>;

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

// The headers that say how the connection goes on are the subject here, the date is not.
std::string without_date(std::string text) {
  for (auto at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ")) {
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
  return text;
}

void echo(const Request& request, const Answer& answer) {
  answer->send(200, "text/plain", request.method + " " + request.path + " " + request.body);
}

class ServerTest : public testing::Test {
 protected:
  void serve(Handler handler, ServerLimits limits = {}) {
    auto made = HttpServer::listen(loop_, "127.0.0.1:0", std::move(handler), limits);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = *std::move(made);
  }
  // Sends `bytes` on a fresh connection and returns everything until the server closes.
  std::string all_of(const std::string& bytes) {
    std::string text;
    drive(loop_, [&] {
      RawSocket client = RawSocket::connect(server_->address());
      client.send(bytes);
      text = client.read_all();
    });
    return text;
  }

  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ServerTest, HandlerSeesTheRequestAndTheClientTheAnswer) {
  Request seen;
  serve([&](Request request, const Answer& answer) {
    seen = std::move(request);
    answer->send(201, "text/plain", "made", {{"X-Extra", "1"}});
  });
  const std::string text = all_of(
      "POST /a%20b?c=d?e HTTP/1.1\r\nHost: x\r\nX-Key: v1\r\nx-key: v2\r\n"
      "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(without_date(text),
            "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nX-Extra: 1\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\nmade");
  EXPECT_NE(text.find("Date: "), std::string::npos);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/a%20b");
  EXPECT_EQ(seen.query, "c=d?e");
  EXPECT_EQ(seen.body, "abc");
  EXPECT_EQ(seen.header("x-key"), "v1");
  EXPECT_EQ(seen.header("absent"), "");
}

TEST_F(ServerTest, RequestCutAnywhereIsTheSameRequest) {
  serve(echo);
  const std::string request =
      "\r\nPOST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: trailer\r\n\r\n";
  drive(loop_, [&] {
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      RawSocket client = RawSocket::connect(server_->address());
      client.send(request.substr(0, cut));
      client.send(request.substr(cut));
      const std::string text = client.read_until("abcde");
      EXPECT_TRUE(text.ends_with("\r\n\r\nPOST /p abcde")) << cut << text;
    }
  });
}

TEST_F(ServerTest, ConnectionIsKeptAndPipelinedRequestsAreAnsweredInOrder) {
  std::vector<std::string> order;
  serve([&](Request request, const Answer& answer) {
    order.push_back("ask " + request.path);
    loop_.post([&, answer, path = request.path] {
      order.push_back("answer " + path);
      answer->send(200, "text/plain", path);
    });
  });
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send(get("/1") + get("/2") + get("/3"));
    EXPECT_TRUE(client.read_until("\r\n\r\n/1").ends_with("/1"));
    EXPECT_TRUE(client.read_until("\r\n\r\n/2").ends_with("/2"));
    EXPECT_TRUE(client.read_until("\r\n\r\n/3").ends_with("/3"));
    client.send(get("/4"));
    EXPECT_TRUE(client.read_until("\r\n\r\n/4").ends_with("/4"));
  });
  EXPECT_EQ(order, (std::vector<std::string>{"ask /1", "answer /1", "ask /2", "answer /2", "ask /3",
                                             "answer /3", "ask /4", "answer /4"}));
}

TEST_F(ServerTest, ManyPipelinedRequestsBeyondTheReadAheadAreAllAnswered) {
  int asked = 0;
  serve([&](const Request&, const Answer& answer) {
    ++asked;
    loop_.post([answer] { answer->send(200, "", "ok"); });
  });
  std::string all;
  for (int i = 0; i < 3000; ++i) all += get("/");
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    std::thread writer([&] { client.send(all); });
    for (int i = 0; i < 3000; ++i) {
      if (!client.read_until("\r\n\r\nok").ends_with("ok")) break;
    }
    writer.join();
  });
  EXPECT_EQ(asked, 3000);
}

TEST_F(ServerTest, StreamedAnswerIsChunkedAndTheConnectionKept) {
  serve([&](const Request&, const Answer& answer) {
    answer->begin(200, "text/event-stream");
    EXPECT_TRUE(answer->write("one"));
    EXPECT_TRUE(answer->write(""));
    EXPECT_TRUE(answer->is_open());
    loop_.post([answer] {
      EXPECT_TRUE(answer->write(std::string(26, 'x')));
      answer->end();
      EXPECT_FALSE(answer->is_open());
      EXPECT_FALSE(answer->write("late"));
    });
  });
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    for (int i = 0; i < 2; ++i) {
      client.send(get("/"));
      EXPECT_EQ(without_date(client.read_until("\r\n0\r\n\r\n")),
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                "Transfer-Encoding: chunked\r\n\r\n"
                "3\r\none\r\n1a\r\n" +
                    std::string(26, 'x') + "\r\n0\r\n\r\n");
    }
  });
}

TEST_F(ServerTest, HeadOfAStreamLeavesWithoutWaitingForAPiece) {
  Answer kept;
  serve([&](const Request&, const Answer& answer) {
    kept = answer;
    answer->begin(200, "text/event-stream");
  });
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send(get("/"));
    EXPECT_TRUE(client.read_until("\r\n\r\n").ends_with("\r\n\r\n"));
  });
}

TEST_F(ServerTest, OldHttpGetsAStreamThatEndsWithTheConnection) {
  serve([](const Request&, const Answer& answer) {
    answer->begin(200, "text/plain");
    answer->write("one");
    answer->write("two");
    answer->end();
  });
  EXPECT_EQ(without_date(all_of("GET / HTTP/1.0\r\n\r\n")),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nonetwo");
}

TEST_F(ServerTest, HeadAndEmptyStatusesHaveNoBody) {
  serve([](const Request& request, const Answer& answer) {
    answer->send(request.path == "/none" ? 204 : 200, "text/plain", "body");
  });
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/none") + get("/last"));
    EXPECT_EQ(without_date(client.read_until("\r\n\r\n")),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(without_date(client.read_until("\r\n\r\n")),
              "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n");
    EXPECT_TRUE(client.read_until("body").starts_with("HTTP/1.1 200"));
  });
}

TEST_F(ServerTest, HeaderValueCannotStartAnotherLine) {
  serve([](const Request&, const Answer& answer) {
    answer->send(200, "a\r\nX-Bad: 1", "", {{"X-Echo", "b\r\n\r\nevil"}});
  });
  const std::string text = all_of("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(text.find("Content-Type: aX-Bad: 1\r\nX-Echo: bevil\r\n"), std::string::npos) << text;
}

TEST_F(ServerTest, ForgottenRequestIsAnswered500) {
  serve([](const Request&, const Answer&) {});
  const std::string text = all_of(get("/"));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 500 ")) << text;
  EXPECT_TRUE(
      text.ends_with(R"("The request was not answered.","type":"server_error","param":null,)"
                     R"("code":"internal_error"}})"))
      << text;
}

TEST_F(ServerTest, ForgottenStreamIsCutSoThatTheClientNotices) {
  serve([](const Request&, const Answer& answer) {
    answer->begin(200, "text/plain");
    answer->write("part");
  });
  const std::string text = all_of(get("/"));
  EXPECT_EQ(text.find("\r\n0\r\n\r\n"), std::string::npos) << text;
}

TEST_F(ServerTest, ClientThatLeavesIsNoticedWhileTheAnswerIsPending) {
  Answer kept;
  bool was_open = false;
  std::promise<void> asked;
  serve([&](const Request&, const Answer& answer) {
    kept = answer;
    was_open = answer->is_open();
    answer->on_close([&] { loop_.stop(); });
    asked.set_value();
  });
  std::thread client([&] {
    RawSocket socket = RawSocket::connect(server_->address());
    socket.send(get("/"));
    asked.get_future().wait();
  });
  loop_.run();
  client.join();
  EXPECT_TRUE(was_open);
  EXPECT_FALSE(kept->is_open());
  kept->send(200, "", "into the void");
}

TEST_F(ServerTest, ClientThatLeavesIsNoticedInTheMiddleOfAStream) {
  Answer kept;
  serve([&](const Request&, const Answer& answer) {
    kept = answer;
    answer->begin(200, "text/plain");
    answer->write("first");
    answer->on_close([&] { loop_.stop(); });
  });
  std::thread client([&] {
    RawSocket socket = RawSocket::connect(server_->address());
    socket.send(get("/"));
    socket.read_until("first");
  });
  loop_.run();
  client.join();
  EXPECT_FALSE(kept->is_open());
  EXPECT_FALSE(kept->write("more"));
  kept->end();
}

TEST_F(ServerTest, OnCloseSetAfterTheClientLeftIsStillCalled) {
  bool was_told = false;
  serve([&](const Request&, const Answer& answer) {
    answer->on_close([&, answer] {
      answer->on_close([&] {
        was_told = true;
        loop_.stop();
      });
    });
  });
  std::thread client([&] { RawSocket::connect(server_->address()).send(get("/")); });
  loop_.run();
  client.join();
  EXPECT_TRUE(was_told);
}

TEST_F(ServerTest, OnCloseIsNotCalledOnceTheAnswerIsComplete) {
  serve([&](const Request&, const Answer& answer) {
    answer->on_close([] { FAIL() << "the answer was complete"; });
    answer->send(200, "text/plain", "done");
  });
  EXPECT_TRUE(all_of("GET / HTTP/1.0\r\n\r\n").ends_with("done"));
}

TEST_F(ServerTest, ClientThatDoesNotReadIsCutAtTheBufferLimit) {
  bool was_told = false;
  Answer kept;
  std::function<void()> pour = [&] {
    if (kept->write(std::string(64 * 1024, 'x'))) loop_.post([&] { pour(); });
  };
  serve(
      [&](const Request&, const Answer& answer) {
        kept = answer;
        answer->on_close([&] {
          was_told = true;
          loop_.stop();
        });
        answer->begin(200, "text/plain");
        pour();
      },
      {.buffered_bytes = 256 * 1024});
  RawSocket client = RawSocket::connect(server_->address());
  client.send(get("/"));
  loop_.run();
  EXPECT_TRUE(was_told);
  EXPECT_FALSE(kept->is_open());
}

TEST_F(ServerTest, SlowClientThatReadsGetsALargeAnswerWhole) {
  const std::string body(6 * 1024 * 1024, 'y');
  serve([&](const Request&, const Answer& answer) { answer->send(200, "", body); });
  EXPECT_TRUE(all_of("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n" + body));
}

struct Refusal {
  std::string what;
  std::string bytes;
  std::string status;
};

TEST_F(ServerTest, RequestsOverALimitOrMalformedAreRefusedInWordsAndClosed) {
  bool was_asked = false;
  serve([&](const Request&, const Answer&) { was_asked = true; },
        {.header_bytes = 1024, .body_bytes = 100, .header_time = 30ms, .body_time = 30ms});
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::vector<Refusal> refusals = {
      {"large header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(2000, 'h'), "431"},
      {"large target", "GET /" + std::string(5000, 't'), "431"},
      {"large body", post + "Content-Length: 101\r\n\r\n", "413"},
      {"huge body", post + "Content-Length: 18446744073709551615\r\n\r\n", "413"},
      {"large chunk", post + "Transfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'c'),
       "413"},
      {"not HTTP", "hello\r\n\r\n", "400"},
      {"bytes", std::string("\x16\x03\x01\x00\xFF", 5), "400"},
      {"bad length", post + "Content-Length: 1x\r\n\r\n", "400"},
      {"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"length and chunks",
       post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
      {"no path", "GET x HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"tunnel", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
      {"unknown expectation", post + "Expect: magic\r\nContent-Length: 1\r\n\r\n", "417"},
      {"slow header", "GET / HT", "408"},
      {"slow body", post + "Content-Length: 2\r\n\r\na", "408"},
  };
  for (const Refusal& refusal : refusals) {
    const std::string text = all_of(refusal.bytes);
    EXPECT_TRUE(text.starts_with("HTTP/1.1 " + refusal.status + " ")) << refusal.what << text;
    EXPECT_NE(text.find("\r\nConnection: close\r\n"), std::string::npos) << refusal.what;
    EXPECT_NE(text.find("\r\n\r\n{\"error\":{\"message\":\""), std::string::npos) << refusal.what;
  }
  EXPECT_FALSE(was_asked);
}

TEST_F(ServerTest, BodyOfExactlyTheLimitIsTaken) {
  serve([](const Request& request,
           const Answer& answer) { answer->send(200, "", std::to_string(request.body.size())); },
        {.body_bytes = 100});
  EXPECT_TRUE(all_of("POST / HTTP/1.0\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'b'))
                  .ends_with("\r\n\r\n100"));
}

TEST_F(ServerTest, RefusalReachesAClientThatIsStillSending) {
  serve(echo, {.body_bytes = 100});
  const std::string text = all_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" +
                                  std::string(3'000'000, 'b'));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 413 ")) << text;
}

TEST_F(ServerTest, IdleConnectionIsClosedWithoutAWord) {
  serve(echo, {.idle_time = 20ms});
  EXPECT_EQ(all_of(""), "");
  const std::string text = all_of(get("/"));
  EXPECT_TRUE(text.ends_with("\r\n\r\nGET / ")) << text;
}

TEST_F(ServerTest, PendingAnswerIsNotBoundByTheRequestTimes) {
  std::unique_ptr<EventLoop::Timer> timer;
  serve(
      [&](const Request&, const Answer& answer) {
        timer = loop_.at(loop_.now() + 60ms, [answer] { answer->send(200, "", "late"); });
      },
      {.header_time = 10ms, .body_time = 10ms, .idle_time = 10ms});
  EXPECT_TRUE(all_of(get("/")).ends_with("late"));
}

TEST_F(ServerTest, ClientThatAsksFirstIsToldToContinue) {
  serve(echo);
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send("POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    EXPECT_TRUE(client.read_until("POST /p ab").starts_with("HTTP/1.1 200 OK"));
  });
}

TEST_F(ServerTest, ConnectionsOverTheLimitAreTold503AndAPlaceBecomesFree) {
  serve(echo, {.connections = 1});
  drive(loop_, [&] {
    auto first = std::make_unique<RawSocket>(RawSocket::connect(server_->address()));
    first->send(get("/first"));
    first->read_until("GET /first ");
    RawSocket second = RawSocket::connect(server_->address());
    EXPECT_TRUE(second.read_all().starts_with("HTTP/1.1 503 "));
    first.reset();
    for (bool is_free = false; !is_free;) {  // The server learns of it a turn later.
      RawSocket third = RawSocket::connect(server_->address());
      third.send(get("/third"));
      is_free = third.read_until("GET /third ").starts_with("HTTP/1.1 200 ");
    }
  });
}

TEST_F(ServerTest, DestructionClosesConnectionsAndCallsNobody) {
  serve([&](const Request&, const Answer& answer) {
    answer->on_close([] { FAIL() << "the server was destroyed, the client did not leave"; });
    loop_.post([&, answer] {
      server_.reset();
      EXPECT_FALSE(answer->is_open());
      answer->send(200, "", "too late");
      answer->on_close([] { FAIL(); });
    });
  });
  EXPECT_EQ(all_of(get("/")), "");
}

TEST_F(ServerTest, HandlerMayDestroyTheServer) {
  serve([&](const Request&, const Answer& answer) {
    server_.reset();
    answer->send(200, "", "too late");
  });
  EXPECT_EQ(all_of(get("/") + get("/")), "");
}

}  // namespace
}  // namespace hf::net
