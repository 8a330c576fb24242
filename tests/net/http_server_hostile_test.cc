// Goal: whatever a client sends, the server understands it in one way or refuses it, and a client
// that is slow, silent or greedy costs no more than its share.
// Method: a real server on port 0 and raw sockets; one table of requests with their statuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "raw.h"

namespace hf::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<Responder>;

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: x\r\n";
constexpr const char* kPost = "POST / HTTP/1.1\r\nHost: x\r\n";

// Shows all that a handler gets, so that two readings of a request would look different.
void show(const Request& request, const Answer& answer) {
  answer->send(200, "text/plain",
               request.method + " " + request.path + " [" + request.query + "] [" + request.body +
                   "] [" + std::string(request.header("x")) + "]");
}

class HostileTest : public testing::Test {
 protected:
  void serve(Handler handler, ServerLimits limits = {}) {
    auto made = HttpServer::listen(loop_, "127.0.0.1:0", std::move(handler), limits);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = *std::move(made);
  }
  // Everything the server says to `bytes`, after which the client sends no more.
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

struct Refused {
  std::string bytes;
  std::string status = "400";
};

TEST_F(HostileTest, RequestsThatCouldBeReadInTwoWaysAreRefusedAndClosed) {
  int asked = 0;
  serve(
      [&](const Request& request, const Answer& answer) {
        ++asked;
        show(request, answer);
      },
      {.body_time = 300ms});
  const std::string get = kGet;
  const std::string post = kPost;
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string end = "\r\n\r\n0\r\n\r\n";
  const std::vector<Refused> all = {
      // Where the body ends.
      {post + "Content-Length: 3\r\nTransfer-Encoding: chunked" + end},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 3" + end},
      {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
      {post + "Content-Length: 1, 1\r\n\r\na"},
      {post + "Content-Length: -1\r\n\r\n"},
      {post + "Content-Length: +1\r\n\r\na"},
      {post + "Content-Length: 0x1\r\n\r\na"},
      {post + "Content-Length: 1 1\r\n\r\na"},
      {post + "Content-Length: 1.0\r\n\r\na"},
      {post + "Content-Length:\r\n\r\n"},
      {post + "Content-Length: 99999999999999999999\r\n\r\n"},
      {post + "Content-Length: 18446744073709551615\r\n\r\n", "413"},
      {post + "Transfer-Encoding: chunked, identity" + end},
      {post + "Transfer-Encoding: identity, chunked" + end},
      {post + "Transfer-Encoding: gzip, chunked" + end},
      {post + "Transfer-Encoding: chunked, chunked" + end},
      {post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na"},
      {post + "Transfer-Encoding: xchunked" + end},
      {post + "Transfer-Encoding: \"chunked\"" + end},
      {post + "Transfer-Encoding: chunked;x=y" + end},
      {post + "Transfer-Encoding: \x0B" + "chunked" + end},
      {post + "Transfer-Encoding:" + end},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + end},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" + end},
      {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked" + end},
      // Chunks.
      {chunked + "fffffffffffffffff\r\na"},
      {chunked + "7fffffffffffffff\r\na", "413"},
      {chunked + "-1\r\na"},
      {chunked + "0x1\r\na\r\n0\r\n\r\n"},
      {chunked + " 1\r\na\r\n0\r\n\r\n"},
      {chunked + "1\na\r\n0\r\n\r\n"},
      {chunked + "1\r\nab\r\n0\r\n\r\n"},
      {chunked + "1\r\na\n0\r\n\r\n"},
      {chunked + "1;\r\na\r\n0\r\n\r\n"},
      {chunked + "1;a=\"b\r\na\r\n0\r\n\r\n", "408"},  // Its end could still come.
      {chunked + "\r\n0\r\n\r\n"},
      {chunked + "1;x=" + std::string(100'000, 'e') + "\r\na\r\n0\r\n\r\n", "431"},
      {chunked + "0\r\nX: " + std::string(100'000, 't') + "\r\n\r\n", "431"},
      {chunked + "0\r\nX y: 1\r\n\r\n"},
      // Lines.
      {get + "X : 1\r\n\r\n"},
      {get + "X\t: 1\r\n\r\n"},
      {get + ": 1\r\n\r\n"},
      {get + "X\r\n\r\n"},
      {get + "X: 1\r\n folded\r\n\r\n"},
      {get + "X: 1\r\n\tfolded\r\n\r\n"},
      {"GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n"},
      {get + "X: 1\nY: 2\r\n\r\n"},
      {"GET / HTTP/1.1\nHost: x\n\n"},
      {get + "X: a\rb\r\n\r\n"},
      {get + "X: a\r\r\n\r\n"},
      {get + std::string("X: a\0b\r\n\r\n", 10)},
      {get + std::string("X\0: a\r\n\r\n", 9)},
      {get + "X: a\x7F\r\n\r\n"},
      {get + "X\xC3\xA4: a\r\n\r\n"},
      {get + "X(y): a\r\n\r\n"},
      // The first line.
      {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n"},
      {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET /\r\nHost: x\r\n\r\n"},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"GET / HTTP/0.9\r\nHost: x\r\n\r\n"},
      {"GET / HTTP/1.10\r\nHost: x\r\n\r\n"},
      {"GET / http/1.1\r\nHost: x\r\n\r\n"},
      {" GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28)},
      {"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET /#part HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET http://x@other/ HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n"},
  };
  for (const Refused& refused : all) {
    // A second request behind it must never be seen as one.
    const std::string text = all_of(refused.bytes + "GET /smuggled HTTP/1.0\r\n\r\n");
    const std::string what = refused.bytes.substr(0, 200);
    EXPECT_TRUE(text.starts_with("HTTP/1.1 " + refused.status + " ")) << what << "\n" << text;
    EXPECT_EQ(text.find("HTTP/1.1 ", 1), std::string::npos) << what << "\n" << text;
    EXPECT_NE(text.find("\r\nConnection: close\r\n"), std::string::npos) << what;
  }
  EXPECT_EQ(asked, 0);
}

struct Valid {
  std::string bytes;
  std::string seen;
};

TEST_F(HostileTest, OddButClearRequestsArriveAsTheyAre) {
  serve(show);
  const std::string get = kGet;
  const std::string post = kPost;
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<Valid> all = {
      {"GET //a//b HTTP/1.1\r\nHost: x\r\n\r\n", "GET //a//b [] [] []"},
      {"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "GET /../../etc/passwd [] [] []"},
      {"GET /%2e%2e/%00%2F%zz?%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n",
       "GET /%2e%2e/%00%2F%zz [%0d%0a] [] []"},
      {"GET /\\..\\a;b=c HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\\..\\a;b=c [] [] []"},
      {"GET http://x/p?q HTTP/1.1\r\nHost: x\r\n\r\n", "GET /p [q] [] []"},
      {"GET http://X HTTP/1.1\r\nHost: x\r\n\r\n", "GET / [] [] []"},
      {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * [] [] []"},
      {"get / HTTP/1.1\r\nHost: x\r\n\r\n", "get / [] [] []"},
      {get + "X:\t a \t\r\n\r\n", "GET / [] [] [a]"},
      {get + "X: \xC3\xA4\r\n\r\n", "GET / [] [] [\xC3\xA4]"},
      {get + "X:\r\n\r\n", "GET / [] [] []"},
      {post + "Content-Length: 0003\r\n\r\nabc", "POST / [] [abc] []"},
      {post + "tRANSFER-eNCODING: ChUnKeD\r\n\r\n1\r\na\r\n0\r\n\r\n", "POST / [] [a] []"},
      {chunked + "0002;a;b=\"c\"\r\nab\r\n000\r\nX: trailer\r\n\r\n", "POST / [] [ab] []"},
      {chunked + "A\r\n0123456789\r\n0\r\n\r\n", "POST / [] [0123456789] []"},
      {"\r\n\r\n" + get + "\r\n", "GET / [] [] []"},
  };
  for (const Valid& valid : all) {
    const std::string text =
        all_of(valid.bytes + "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(text.find("\r\n\r\n" + valid.seen + "HTTP/1.1 200 OK"), std::string::npos)
        << valid.bytes << "\n"
        << text;
    EXPECT_TRUE(text.ends_with("GET /next [] [] []")) << valid.bytes << "\n" << text;
  }
}

TEST_F(HostileTest, CountOfHeadersIsLimited) {
  serve(show, {.header_count = 10});
  std::string lines = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  for (int i = 0; i < 8; ++i) lines += "A: b\r\n";
  EXPECT_TRUE(all_of(lines + "\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(all_of(lines + "A: b\r\n\r\n").starts_with("HTTP/1.1 431 "));
}

TEST_F(HostileTest, HeaderThatComesByteByByteIsCutOffInTime) {
  serve(show, {.header_bytes = 64 * 1024 * 1024, .header_time = 50ms});
  std::string text;
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send(kGet);
    // Each byte is a sign of life, and none of them helps.
    char byte = 0;
    while (::recv(client.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0) client.send("x");
    text = client.read_all();
  });
  EXPECT_TRUE(text.starts_with("HTTP/1.1 408 ")) << text;
}

TEST_F(HostileTest, BodyThatComesByteByByteIsCutOffInTime) {
  serve(show, {.body_time = 50ms});
  std::string text;
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send(std::string(kPost) + "Content-Length: 8000000\r\n\r\n");
    char byte = 0;
    while (::recv(client.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0) client.send("x");
    text = client.read_all();
  });
  EXPECT_TRUE(text.starts_with("HTTP/1.1 408 ")) << text;
}

TEST_F(HostileTest, ClientThatTakesNothingIsCutOffInTime) {
  bool was_told = false;
  serve(
      [&](const Request&, const Answer& answer) {
        answer->on_close([&] {
          was_told = true;
          loop_.stop();
        });
        answer->begin(200, "text/plain");
        // More than two sockets hold, less than what may wait.
        for (int i = 0; i < 30; ++i) answer->write(std::string(1024 * 1024, 'x'));
      },
      {.buffered_bytes = 64 * 1024 * 1024, .write_time = 50ms});
  RawSocket client = RawSocket::connect(server_->address());
  client.send(std::string(kGet) + "\r\n");
  loop_.run();
  EXPECT_TRUE(was_told);
}

TEST_F(HostileTest, StreamThatIsQuietForLongIsNotCutOff) {
  Answer kept;
  std::unique_ptr<EventLoop::Timer> timer;
  serve(
      [&](const Request&, const Answer& answer) {
        kept = answer;
        answer->begin(200, "text/plain");
        answer->write("first ");
        timer = loop_.at(loop_.now() + 60ms, [&] {
          kept->write("second");
          kept->end();
        });
      },
      {.write_time = 10ms, .idle_time = 10ms});
  EXPECT_NE(all_of("GET / HTTP/1.0\r\n\r\n").find("first second"), std::string::npos);
}

TEST_F(HostileTest, FloodOfPipelinedRequestsWaitsInTheClient) {
  constexpr int kRequests = 20'000;
  int open = 0;
  int most = 0;
  serve([&](const Request&, const Answer& answer) {
    most = std::max(most, ++open);
    loop_.post([&open, answer] {
      --open;
      answer->send(200, "", "x");
    });
  });
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += std::string(kGet) + "\r\n";
  std::size_t answers = 0;
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    std::thread sender([&] {
      client.send(requests);
      client.send("GET / HTTP/1.0\r\n\r\n");
    });
    const std::string text = client.read_all();
    sender.join();
    for (auto at = text.find("HTTP/1.1 200"); at != std::string::npos;
         at = text.find("HTTP/1.1 200", at + 1)) {
      ++answers;
    }
  });
  EXPECT_EQ(answers, kRequests + 1U);
  EXPECT_EQ(most, 1);
}

TEST_F(HostileTest, ThousandsOfIdleConnectionsKeepNobodyOutForLong) {
  constexpr std::size_t kLimit = 100;
  serve(show, {.connections = kLimit, .idle_time = 300ms});
  drive(loop_, [&] {
    std::vector<RawSocket> idle;
    for (int i = 0; i < 900; ++i) idle.push_back(RawSocket::connect(server_->address()));
    std::size_t told = 0;
    std::size_t silent = 0;
    for (RawSocket& socket : idle) {
      const std::string text = socket.read_all();
      const bool is_told = text.starts_with("HTTP/1.1 503 ") &&
                           text.find("\r\nRetry-After: 1\r\n") != std::string::npos &&
                           text.find("too_many_connections") != std::string::npos;
      ++(is_told ? told : silent);
    }
    // All are closed by now; those within the limit only for being idle, the others at once.
    EXPECT_GT(told, 0U);
    EXPECT_GE(silent, kLimit);
    RawSocket late = RawSocket::connect(server_->address());
    late.send("GET /late HTTP/1.0\r\n\r\n");
    EXPECT_NE(late.read_all().find("GET /late"), std::string::npos);
  });
}

TEST_F(HostileTest, StreamedAnswerToHeadEndsAndTheConnectionServesAgain) {
  serve([&](const Request& request, const Answer& answer) {
    if (request.method != "HEAD") return show(request, answer);
    answer->begin(200, "text/plain");
    // Twice later: when the head has left.
    loop_.post(
        [&, answer] { loop_.post([&, answer] { loop_.post([answer] { answer->end(); }); }); });
  });
  const std::string text = all_of(
      "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_TRUE(text.ends_with("GET /next [] [] []")) << text;
}

}  // namespace
}  // namespace hf::net
