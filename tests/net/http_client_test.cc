// Goal: calls end in exactly one clear way, bytes arrive in order, and a cancelled call is silent.
// Method: the real client against the real server, and against raw servers that misbehave.
#include "net/http_client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client_fixture.h"

namespace hf::net {
namespace {

INSTANTIATE_TEST_SUITE_P(Over, ClientTest, testing::Values(Transport::kShortest, Transport::kCurl),
                         [](const auto& way) {
                           return way.param == Transport::kCurl ? "Curl" : "Shortest";
                         });

TEST_P(ClientTest, WholeAnswerArrivesWithItsStatusAndType) {
  Request seen;
  serve([&](Request request, const Answer& answer) {
    seen = std::move(request);
    answer->send(404, "text/x-test", "not here");
  });
  Call made = call("/a?b=c");
  made.method = "POST";
  made.body = std::string("x\0y", 3);
  made.headers = {
      {"Authorization", "Bearer key"}, {"Content-Type", "application/json"}, {"X-Empty", ""}};
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.error, CallError::kNone);
  EXPECT_EQ(result.message, "");
  EXPECT_EQ(result.status, 404);
  EXPECT_EQ(result.content_type, "text/x-test");
  EXPECT_EQ(result.retry_after, std::nullopt);
  EXPECT_EQ(body_, "not here");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/a");
  EXPECT_EQ(seen.query, "b=c");
  EXPECT_EQ(seen.body, std::string("x\0y", 3));
  EXPECT_EQ(seen.header("authorization"), "Bearer key");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  EXPECT_EQ(seen.header("expect"), "");
}

TEST_P(ClientTest, MethodsAreSentAsGiven) {
  std::vector<std::string> methods;
  serve([&](const Request& request, const Answer& answer) {
    methods.push_back(request.method + " " + std::to_string(request.body.size()) +
                      std::string(request.header("content-type")));
    answer->send(200, "text/plain", "x");
  });
  for (const std::string method : {"GET", "POST", "HEAD", "DELETE"}) {
    Call made = call();
    made.method = method;
    EXPECT_EQ(run(std::move(made)).status, 200) << method;
    EXPECT_EQ(body_, method == "HEAD" ? "" : "x");
  }
  EXPECT_EQ(methods, (std::vector<std::string>{"GET 0", "POST 0", "HEAD 0", "DELETE 0"}));
}

TEST_P(ClientTest, LargeBodyIsSentWithoutAsking) {
  std::size_t size = 0;
  serve([&](const Request& request, const Answer& answer) {
    size = request.body.size();
    answer->send(200, "", "");
  });
  Call made = call();
  made.method = "POST";
  made.body = std::string(3'000'000, 'b');
  EXPECT_EQ(run(std::move(made)).error, CallError::kNone);
  EXPECT_EQ(size, 3'000'000U);
}

TEST_P(ClientTest, UnixSocketIsReached) {
  const std::string path = testing::TempDir() + "hf-client-" + std::to_string(::getpid());
  auto server = HttpServer::listen(loop_, "unix:" + path, [](const Request& r, const Answer& a) {
    a->send(200, "", std::string(r.header("host")));
  });
  ASSERT_TRUE(server.has_value()) << server.error().message;
  Call made = call_to("engine", "/x");
  made.unix_socket = path;
  EXPECT_EQ(run(made).error, CallError::kNone);
  EXPECT_EQ(body_, "engine");
  server->reset();
  EXPECT_EQ(run(made).error, CallError::kConnect);
}

TEST_P(ClientTest, StreamedPiecesArriveOneByOneAndInOrder) {
  Answer stream;
  int sent = 0;
  serve([&](const Request&, const Answer& answer) {
    stream = answer;
    answer->begin(200, "text/event-stream");
    answer->write("0");
  });
  std::vector<std::string> pieces;
  client_->start(call(), {.on_bytes =
                              [&](int status, std::string_view bytes) {
                                EXPECT_EQ(status, 200);
                                pieces.emplace_back(bytes);
                                // The next piece leaves only after this one has arrived.
                                if (++sent < 5) {
                                  stream->write(std::to_string(sent));
                                } else {
                                  stream->end();
                                }
                              },
                          .on_done =
                              [&](const CallResult& result) {
                                EXPECT_EQ(result.error, CallError::kNone);
                                EXPECT_EQ(result.content_type, "text/event-stream");
                                loop_.stop();
                              }});
  loop_.run();
  EXPECT_EQ(pieces, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_P(ClientTest, CancelInTheMiddleReachesTheServerAndSilencesTheCall) {
  HttpClient::Id id = 0;
  bool is_cancelled = false;
  Answer stream;
  serve([&](const Request&, const Answer& answer) {
    stream = answer;
    answer->on_close([&] { loop_.stop(); });
    answer->begin(200, "");
    answer->write("first");
  });
  id = client_->start(call(), {.on_bytes =
                                   [&](int, std::string_view) {
                                     EXPECT_FALSE(is_cancelled);
                                     is_cancelled = true;
                                     stream->write("second");
                                     client_->cancel(id);
                                   },
                               .on_done = [](const CallResult&) { FAIL(); }});
  loop_.run();
  EXPECT_TRUE(is_cancelled);
  client_->cancel(id);  // Of a call that is over: nothing happens.
}

TEST_P(ClientTest, CallCancelledBeforeItBeganIsSilent) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); });
  const auto id = client_->start(call(), {.on_bytes = [](int, std::string_view) { FAIL(); },
                                          .on_done = [](const CallResult&) { FAIL(); }});
  client_->cancel(id);
  EXPECT_EQ(run(call()).status, 200);
}

TEST_P(ClientTest, ClientMayBeDestroyedByACallback) {
  serve([](const Request&, const Answer& answer) {
    answer->begin(200, "");
    answer->write("first");
    answer->on_close([] {});
    answer->write("second");
  });
  const std::string text = "captured, used after the client is gone";
  std::string seen;
  client_->start(call(), {.on_bytes =
                              [&, text](int, std::string_view) {
                                client_.reset();
                                seen = text;
                                loop_.post([&] { loop_.stop(); });
                              },
                          .on_done = [](const CallResult&) { FAIL(); }});
  loop_.run();
  EXPECT_EQ(seen, text);
}

TEST_P(ClientTest, CallbackMayStartAnotherCall) {
  serve([](const Request& request, const Answer& answer) { answer->send(200, "", request.path); });
  std::string second;
  client_->start(call("/1"),
                 {.on_bytes = {}, .on_done = [&](const CallResult&) {
                    client_->start(
                        call("/2"),
                        {.on_bytes = [&](int, std::string_view bytes) { second += bytes; },
                         .on_done = [&](const CallResult&) { loop_.stop(); }});
                  }});
  loop_.run();
  EXPECT_EQ(second, "/2");
}

TEST_P(ClientTest, ConnectionIsReused) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); },
        {.connections = 1});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(call()).status, 200);  // A second one would get 503.
}

TEST_P(ClientTest, KeptConnectionThatTheServerHasClosedIsReplacedUnseen) {
  const auto answer_x = [](const Request&, const Answer& answer) { answer->send(200, "", "x"); };
  serve(answer_x);
  const std::string address = server_->address();
  EXPECT_EQ(run(call()).status, 200);
  server_.reset();
  auto again = HttpServer::listen(loop_, address, answer_x);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(run(call_to(address)).status, 200);
}

TEST_P(ClientTest, RedirectIsAnAnswerLikeAnyOther) {
  int asked = 0;
  serve([&](const Request&, const Answer& answer) {
    ++asked;
    answer->send(302, "", "", {{"Location", "/elsewhere"}});
  });
  EXPECT_EQ(run(call()).status, 302);
  EXPECT_EQ(asked, 1);
}

TEST_P(ClientTest, LoopbackNeedsNoProxy) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); });
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(run(call()).status, 200);
  EXPECT_EQ(run(call_to("host.invalid")).error, CallError::kConnect);
  ::unsetenv("http_proxy");
}

TEST_P(ClientTest, WayThatDoesNotExistIsAConnectError) {
  std::string closed;
  {
    closed = RawServer().address();
  }
  const CallResult refused = run(call_to(closed));
  EXPECT_EQ(refused.error, CallError::kConnect);
  EXPECT_EQ(refused.status, 0);
  EXPECT_NE(refused.message, "");

  Call made = call_to("x");
  made.unix_socket = "/nonexistent/socket";
  EXPECT_EQ(run(made).error, CallError::kConnect);
  for (const char* url : {"", "http://", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://a b/",
                          "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y"}) {
    EXPECT_EQ(run({.method = "GET", .url = url}).error, CallError::kConnect) << url;
  }
}

TEST_P(ClientTest, HeaderCannotStartAnotherLine) {
  Call made = call_to("127.0.0.1:1");
  made.headers = {{"Authorization", "Bearer secret\r\nX: y"}};
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.error, CallError::kConnect);
  EXPECT_EQ(result.message.find("secret"), std::string::npos);
}

TEST_P(ClientTest, ServerThatDoesNotSpeakTlsIsAConnectError) {
  RawServer raw;
  raw.serve_one([](RawSocket& peer) {
    peer.read_until("\x03");
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  EXPECT_EQ(run({.method = "GET", .url = "https://" + raw.address()}).error, CallError::kConnect);
}

TEST_P(ClientTest, ConnectTimeoutIsNamed) {
  // A full queue of a socket that nobody accepts from: further connections hang.
  const RawServer full(0);
  const RawSocket first = RawSocket::connect(full.address());
  Call made = call_to(full.address());
  made.connect_timeout = 50ms;
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.error, CallError::kConnectTimeout);
  EXPECT_TRUE(result.message.starts_with("connect timeout")) << result.message;
}

TEST_P(ClientTest, FirstByteTimeoutIsNamedEvenAfterTheHeaders) {
  Answer kept;
  serve([&](const Request& request, const Answer& answer) {
    kept = answer;
    if (request.path == "/headers") answer->begin(200, "");
  });
  for (const char* path : {"/silent", "/headers"}) {
    Call made = call(path);
    made.first_byte_timeout = 30ms;
    const CallResult result = run(std::move(made));
    EXPECT_EQ(result.error, CallError::kFirstByteTimeout) << path;
    EXPECT_TRUE(result.message.starts_with("first-byte timeout")) << result.message;
  }
}

TEST_P(ClientTest, GapTimeoutIsNamedAndReachesTheServer) {
  Answer kept;
  bool was_told = false;
  serve([&](const Request&, const Answer& answer) {
    kept = answer;
    answer->on_close([&] { was_told = true; });
    answer->begin(200, "");
    answer->write("x");
  });
  Call made = call();
  made.gap_timeout = 30ms;
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.error, CallError::kGapTimeout);
  EXPECT_TRUE(result.message.starts_with("gap timeout")) << result.message;
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(body_, "x");
  while (!was_told) {
    loop_.post([&] { loop_.stop(); });
    loop_.run();
  }
}

TEST_P(ClientTest, TotalTimeoutEndsAStreamThatNeverPauses) {
  Answer kept;
  std::function<void()> drip = [&] {
    if (kept->write("x")) loop_.post([&] { drip(); });
  };
  serve([&](const Request&, const Answer& answer) {
    kept = answer;
    answer->begin(200, "");
    drip();
  });
  Call made = call();
  made.total_timeout = 50ms;
  const CallResult result = run(std::move(made));
  EXPECT_EQ(result.error, CallError::kTotalTimeout);
  EXPECT_TRUE(result.message.starts_with("total timeout")) << result.message;
  EXPECT_NE(body_, "");
}

TEST_P(ClientTest, EndlessTimeoutsAreNoTimeouts) {
  serve([](const Request&, const Answer& answer) { answer->send(200, "", "x"); });
  Call made = call();
  made.connect_timeout = made.first_byte_timeout = made.gap_timeout = made.total_timeout =
      std::chrono::milliseconds::max();
  EXPECT_EQ(run(std::move(made)).error, CallError::kNone);
}

TEST_P(ClientTest, AnswerOverTheLimitIsStopped) {
  serve([](const Request&, const Answer& answer) {
    answer->send(200, "", std::string(100'000, 'x'));
  });
  Call made = call();
  made.body_limit = 99'999;
  const CallResult over = run(made);
  EXPECT_EQ(over.error, CallError::kTooLarge);
  EXPECT_EQ(over.status, 200);
  EXPECT_LE(body_.size(), 99'999U);
  made.body_limit = 100'000;
  EXPECT_EQ(run(made).error, CallError::kNone);
}

TEST_P(ClientTest, BrokenConnectionIsACut) {
  EXPECT_EQ(run_against("").error, CallError::kCut);
  EXPECT_EQ(run_against("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.").error,
            CallError::kCut);
  EXPECT_EQ(body_, "ten bytes.");
  const CallResult chunk =
      run_against("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  EXPECT_EQ(chunk.error, CallError::kCut);
  EXPECT_EQ(chunk.status, 200);
  EXPECT_EQ(body_, "abc");
}

TEST_P(ClientTest, AnswerThatIsNotHttpIsAProtocolError) {
  EXPECT_EQ(run_against("hello, who are you?\r\n\r\n").error, CallError::kProtocol);
}

TEST_P(ClientTest, RetryAfterIsReadInBothForms) {
  const auto asked_to_wait = [&](const std::string& value) {
    return run_against("HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + value +
                       "\r\nContent-Length: 0\r\n\r\n")
        .retry_after;
  };
  EXPECT_EQ(asked_to_wait("7"), 7s);
  EXPECT_EQ(asked_to_wait("0"), 0s);
  EXPECT_EQ(asked_to_wait("99999999999999999999"), 24h * 365);
  EXPECT_EQ(asked_to_wait("-5"), 0s);
  EXPECT_EQ(asked_to_wait("soon"), std::nullopt);
  EXPECT_EQ(asked_to_wait("Sun, 06 Nov 1994 08:49:37 GMT"), 0s);

  const std::time_t later = std::time(nullptr) + 3600;
  std::tm parts{};
  ::gmtime_r(&later, &parts);
  char date[64];
  ASSERT_GT(std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts), 0U);
  const auto wait = asked_to_wait(date);
  ASSERT_TRUE(wait.has_value());
  EXPECT_GT(*wait, 3000s);
  EXPECT_LE(*wait, 3600s);
}

TEST_P(ClientTest, TwoHundredStreamsRunAtOnce) {
  constexpr int kStreams = 200;
  std::vector<Answer> streams;
  serve([&](const Request& request, const Answer& answer) {
    answer->begin(200, "");
    answer->write(request.path + ";");
    streams.push_back(answer);
    if (streams.size() < kStreams) return;
    for (const Answer& stream : streams) {  // Only once all of them are open.
      for (int i = 0; i < 20; ++i) stream->write("token ");
      stream->end();
    }
  });
  std::map<int, std::string> bodies;
  int done = 0;
  for (int i = 0; i < kStreams; ++i) {
    client_->start(call("/" + std::to_string(i)),
                   {.on_bytes = [&, i](int, std::string_view bytes) { bodies[i] += bytes; },
                    .on_done =
                        [&](const CallResult& result) {
                          EXPECT_EQ(result.error, CallError::kNone) << result.message;
                          if (++done == kStreams) loop_.stop();
                        }});
  }
  loop_.run();
  std::string tokens;
  for (int i = 0; i < 20; ++i) tokens += "token ";
  for (int i = 0; i < kStreams; ++i) EXPECT_EQ(bodies[i], "/" + std::to_string(i) + ";" + tokens);
}

TEST_P(ClientTest, DestructionWithCallsUnderWayIsSilentAndClosesThem) {
  int closed = 0;
  std::vector<Answer> kept;
  serve([&](const Request&, const Answer& answer) {
    kept.push_back(answer);
    answer->on_close([&] {
      if (++closed == 10) loop_.stop();
    });
    if (kept.size() == 10) client_.reset();
  });
  for (int i = 0; i < 10; ++i) {
    client_->start(call(), {.on_bytes = [](int, std::string_view) { FAIL(); },
                            .on_done = [](const CallResult&) { FAIL(); }});
  }
  loop_.run();
  EXPECT_EQ(closed, 10);
}

}  // namespace
}  // namespace hf::net
