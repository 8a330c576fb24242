// Goal: a client never costs more than was asked for: no request twice, no unbounded memory, no
// connection longer than needed.
// Method: the real client against servers that would have it so.
#include <future>
#include <string>
#include <vector>

#include "client_fixture.h"

namespace hf::net {
namespace {

TEST_P(ClientTest, RequestWithABodyIsNeverSentTwice) {
  RawServer raw;
  std::vector<std::string> requests;
  raw.serve_one([&](RawSocket& peer) {
    requests.push_back(peer.read_until("one"));
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    requests.push_back(peer.read_until("two"));
    // And closes: whether the request was acted on, nobody knows.
  });
  Call made = call_to(raw.address());
  made.method = "POST";
  made.body = "one";
  EXPECT_EQ(run(made).error, CallError::kNone);
  made.body = "two";
  const CallResult lost = run(made);
  EXPECT_EQ(lost.error, CallError::kCut);
  EXPECT_EQ(lost.message, "the connection was closed before an answer came");
  raw.join();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_TRUE(requests[1].ends_with("\r\n\r\ntwo")) << requests[1];
}

TEST_P(ClientTest, ReleasedCallIsSilentAndItsConnectionServesAgain) {
  RawServer raw;
  std::promise<void> released;
  raw.serve_one([&](RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nall");
    released.get_future().wait();
    peer.send("more");
    loop_.post([&] { loop_.stop(); });
    // Nobody accepts another connection.
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  });
  HttpClient::Id id = 0;
  id = client_->start(call_to(raw.address()), {.on_bytes =
                                                   [&](int, std::string_view bytes) {
                                                     EXPECT_EQ(bytes, "all");
                                                     client_->release(id);
                                                     released.set_value();
                                                   },
                                               .on_done = [](const CallResult&) { FAIL(); }});
  loop_.run();
  client_->release(id);  // Of a call that is over: nothing happens.
  Call next = call_to(raw.address());
  next.first_byte_timeout = 10s;
  EXPECT_EQ(run(std::move(next)).status, 204);
}

TEST_P(ClientTest, ReleasedCallThatDoesNotEndIsClosed) {
  Answer stream;
  serve([&](const Request&, const Answer& answer) {
    stream = answer;
    answer->on_close([&] { loop_.stop(); });
    answer->begin(200, "");
    answer->write("all");
  });
  HttpClient::Id id = 0;
  id = client_->start(call(), {.on_bytes = [&](int, std::string_view) { client_->release(id); },
                               .on_done = [](const CallResult&) { FAIL(); }});
  loop_.run();
}

TEST_P(ClientTest, HeaderOverTheLimitIsStopped) {
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "X-More: " + std::string(1000, 'y') + "\r\n";
  const CallResult many = run_against("HTTP/1.1 200 OK\r\n" + lines + "\r\n");
  EXPECT_EQ(many.error, CallError::kTooLarge);
  EXPECT_EQ(many.message, "the header is larger than 262144 bytes");
  // Interim answers count: a server could send them for ever.
  const std::string hint =
      "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(1000, 'y') + "\r\n\r\n";
  std::string hints;
  for (int i = 0; i < 300; ++i) hints += hint;
  EXPECT_EQ(run_against(hints).error, CallError::kTooLarge);
}

TEST_P(ClientTest, SingleByteChunksAreJoined) {
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10'000; ++i) answer += "1\r\nx\r\n";
  RawServer raw;
  raw.serve_one([&](RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(answer + "0\r\n\r\n");
  });
  int pieces = 0;
  client_->start(call_to(raw.address()), {.on_bytes =
                                              [&](int, std::string_view bytes) {
                                                ++pieces;
                                                body_ += bytes;
                                              },
                                          .on_done = [&](const CallResult&) { loop_.stop(); }});
  loop_.run();
  EXPECT_EQ(body_, std::string(10'000, 'x'));
  EXPECT_LT(pieces, 1'000);
}

}  // namespace
}  // namespace hf::net
