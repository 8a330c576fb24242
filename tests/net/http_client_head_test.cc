// Goal: the head is told before the body and once; compressed bodies are understood or refused;
// callbacks may do anything to the client.
// Method: the real client, over both ways, against raw servers that answer by the script.
#include <zlib.h>

#include <string>
#include <vector>

#include "client_fixture.h"

namespace hf::net {
namespace {

std::string compressed(const std::string& text, int window) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string answer_of(const std::string& encoding, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_P(ClientTest, HeadIsToldOnceAndBeforeTheBody) {
  RawServer raw;
  raw.serve_one([](RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(
        "HTTP/1.1 103 Hints\r\nX-Request-Id: wrong\r\n\r\n"
        "HTTP/1.1 429 Slow\r\nContent-Type: a/b\r\nX-Request-Id: r1\r\nX-Other: x\r\n"
        "X-RateLimit-Remaining: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\na\r\n1\r\nb\r\n0\r\nX-Request-Id: late\r\n\r\n");
  });
  std::string order;
  client_->start(call_to(raw.address()),
                 {.on_head =
                      [&](const CallHead& head) {
                        order += std::to_string(head.status) + head.content_type;
                        for (const auto& [name, value] : head.headers) {
                          order += " " + name + "=" + value;
                        }
                      },
                  .on_bytes = [&](int, std::string_view bytes) { order.append("|").append(bytes); },
                  .on_done =
                      [&](const CallResult&) {
                        order += "|done";
                        loop_.stop();
                      }});
  loop_.run();
  std::erase(order, '|');  // How the bytes are cut is nobody's promise.
  EXPECT_EQ(order, "429a/b x-request-id=r1 x-ratelimit-remaining=0abdone");
}

TEST_P(ClientTest, HeadIsToldBeforeAnyBodyComes) {
  Answer kept;
  serve([&](const Request& request, const Answer& answer) {
    if (request.method == "HEAD") return answer->send(200, "a/b", "");
    kept = answer;
    answer->begin(200, "a/b");
  });
  int heads = 0;
  client_->start(call(), {.on_head =
                              [&](const CallHead& head) {
                                ++heads;
                                EXPECT_EQ(head.content_type, "a/b");
                                kept->end();
                              },
                          .on_bytes = [](int, std::string_view) { FAIL(); },
                          .on_done = [&](const CallResult&) { loop_.stop(); }});
  loop_.run();
  Call without = call();
  without.method = "HEAD";
  client_->start(std::move(without), {.on_head = [&](const CallHead&) { ++heads; },
                                      .on_done = [&](const CallResult&) { loop_.stop(); }});
  loop_.run();
  EXPECT_EQ(heads, 2);
}

TEST_P(ClientTest, CallMayBeCancelledOrReleasedOrTheClientDestroyedByItsHead) {
  serve([](const Request& request, const Answer& answer) { answer->send(200, "", request.path); });
  for (int way = 0; way < 3; ++way) {
    HttpClient::Id id = 0;
    const std::string text = "captured, used after the call is gone";
    std::string seen;
    id = client_->start(call(), {.on_head =
                                     [&, text](const CallHead&) {
                                       if (way == 0) client_->cancel(id);
                                       if (way == 1) client_->release(id);
                                       if (way == 2) client_.reset();
                                       seen = text;
                                       loop_.post([&] { loop_.stop(); });
                                     },
                                 .on_bytes = [](int, std::string_view) { FAIL(); },
                                 .on_done = [](const CallResult&) { FAIL(); }});
    loop_.run();
    EXPECT_EQ(seen, text);
    if (way < 2) EXPECT_EQ(run(call("/next")).status, 200);
  }
}

TEST_P(ClientTest, ClientMayBeDestroyedByTheEndOfACall) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); });
  for (const std::string& address : {server_->address(), std::string("127.0.0.1:1")}) {
    client_ = HttpClient::create(loop_, GetParam());
    client_->start(call_to(address), {.on_done = [&](const CallResult&) {
                     client_.reset();
                     loop_.post([&] { loop_.stop(); });
                   }});
    loop_.run();
    EXPECT_EQ(client_, nullptr);
  }
}

TEST_P(ClientTest, NothingIsToldBeforeStartReturns) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); });
  EXPECT_EQ(run(call()).status, 200);  // Now a connection is kept.
  for (const Call& made : {call(), call_to("127.0.0.1:1"), call_to("no such host"),
                           Call{.url = "http://x/", .unix_socket = "/nonexistent"}}) {
    bool has_returned = false;
    client_->start(made, {.on_done = [&](const CallResult&) {
                     EXPECT_TRUE(has_returned);
                     loop_.stop();
                   }});
    has_returned = true;
    loop_.run();
  }
}

TEST_P(ClientTest, CompressedBodyThatNobodyAskedForIsUnderstood) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + " ";
  EXPECT_EQ(run_against(answer_of("gzip", compressed(text, 31))).error, CallError::kNone);
  EXPECT_EQ(body_, text);
  EXPECT_EQ(run_against(answer_of("X-GZip", compressed(text, 31))).error, CallError::kNone);
  EXPECT_EQ(body_, text);
  EXPECT_EQ(run_against(answer_of("deflate", compressed(text, 15))).error, CallError::kNone);
  EXPECT_EQ(body_, text);
  EXPECT_EQ(run_against(answer_of("deflate", compressed(text, -15))).error, CallError::kNone);
  EXPECT_EQ(body_, text);
  EXPECT_EQ(run_against(answer_of("identity", "plain")).error, CallError::kNone);
  EXPECT_EQ(body_, "plain");
}

TEST_P(ClientTest, DamagedOrUnknownCompressionIsAProtocolError) {
  EXPECT_EQ(run_against(answer_of("gzip", "this is not gzip")).error, CallError::kProtocol);
  EXPECT_EQ(run_against(answer_of("deflate", std::string(40, '\xFF'))).error, CallError::kProtocol);
  const CallResult unknown = run_against(answer_of("x-made-up", "abc"));
  EXPECT_EQ(unknown.error, CallError::kProtocol);
  EXPECT_NE(unknown.message.find("encoding"), std::string::npos) << unknown.message;
}

TEST_P(ClientTest, LimitOfTheBodyIsThatOfTheDecodedOne) {
  RawServer raw;
  raw.serve_one([](RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(answer_of("gzip", compressed(std::string(50'000'000, 'x'), 31)));
  });
  Call made = call_to(raw.address());
  made.body_limit = 1'000'000;
  EXPECT_EQ(run(std::move(made)).error, CallError::kTooLarge);
  EXPECT_LE(body_.size(), 1'000'000U);
}

TEST_P(ClientTest, HarmlessRequestOverADyingConnectionIsMadeOnceMore) {
  int asked = 0;
  RawServer raw;
  raw.serve_one([&](RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer.read_until("\r\n\r\n");
    ++asked;  // And closes without an answer; nobody else accepts.
  });
  EXPECT_EQ(run(call_to(raw.address())).status, 200);
  Call again = call_to(raw.address());
  again.first_byte_timeout = 200ms;
  // The second attempt waits in vain: it was made.
  EXPECT_EQ(run(std::move(again)).error, CallError::kFirstByteTimeout);
  raw.join();
  EXPECT_EQ(asked, 1);
}

TEST_P(ClientTest, AnswerThatComesBeforeTheRequestHasLeftIsTaken) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", ""); },
        {.body_bytes = 1000});
  Call made = call();
  made.method = "POST";
  made.body = std::string(30'000'000, 'b');
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.status, 413);
  EXPECT_NE(body_.find("request_too_large"), std::string::npos);
  EXPECT_EQ(run(call()).status, 200);
}

TEST_P(ClientTest, LocalhostIsFoundWhicheverOfItsAddressesListens) {
  serve([](const Request& request, const Answer& answer) {
    answer->send(200, "", std::string(request.header("host")));
  });
  const std::string port = server_->address().substr(server_->address().rfind(':'));
  EXPECT_EQ(run(call_to("localhost" + port)).error, CallError::kNone);
  EXPECT_EQ(body_, "localhost" + port);
}

TEST_P(ClientTest, MoreCallsAtOnceThanThePoolKeepsAreAllAnswered) {
  constexpr int kCalls = 300;
  std::vector<Answer> waiting;
  serve([&](const Request&, const Answer& answer) {
    waiting.push_back(answer);
    if (waiting.size() < kCalls) return;
    for (const Answer& one : waiting) one->send(200, "", "x");
  });
  int done = 0;
  for (int i = 0; i < kCalls; ++i) {
    client_->start(call(), {.on_done = [&](const CallResult& result) {
                     EXPECT_EQ(result.status, 200) << result.message;
                     if (++done == kCalls) loop_.stop();
                   }});
  }
  loop_.run();
  EXPECT_EQ(done, kCalls);
}

}  // namespace
}  // namespace hf::net
