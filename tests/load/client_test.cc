// Goal: the load counts what happened, late and failed answers above all, and by the schedule.
// Method: real sockets against the stub and against scripted servers. Times are only compared with
// what a server has certainly made them at least.
#include "load/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "load/stub.h"
#include "script.h"

namespace hf::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Target target_of_stub(const Stub& stub) {
  auto target = target_of("http://" + stub.address() + "/v1/");
  EXPECT_TRUE(target);
  target->model = "stub";
  return *std::move(target);
}

LoadResult run(const Target& target, const LoadOptions& options) {
  auto result = run_load(target, options);
  EXPECT_TRUE(result) << result.error().message;
  return result ? *std::move(result) : LoadResult{};
}

TEST(Load, OpenLoopSendsEveryRequestOfItsSchedule) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  const LoadResult result =
      run(target_of_stub(**stub),
          {.loop = Loop::kOpen, .connections = 4, .rate = 200, .length = milliseconds(500)});
  EXPECT_EQ(result.requests, 100U);
  EXPECT_EQ(result.answered, 100U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
  EXPECT_EQ(result.latency.count(), 100U);
  EXPECT_DOUBLE_EQ(result.per_second, 200);
}

TEST(Load, WhatIsDueInTheWarmUpIsNotCounted) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  const LoadResult result = run(target_of_stub(**stub), {.loop = Loop::kOpen,
                                                         .connections = 4,
                                                         .rate = 200,
                                                         .length = milliseconds(500),
                                                         .warm_up = milliseconds(250)});
  EXPECT_EQ(result.requests, 50U);
  EXPECT_EQ(result.answered, 100U);
  EXPECT_EQ(result.latency.count(), 50U);
}

// A server that does nothing for 400 ms of a second keeps 40 % of the requests waiting, on average
// for half of it. A client that waits with it would see a single slow request.
TEST(Load, APauseOfTheServerIsPaidByEveryRequestThatWasDueInIt) {
  const ScriptServer server([](int request) -> Reply {
    return {.bytes = ok("{}"), .pause = milliseconds(request == 20 ? 400 : 0)};
  });
  const LoadResult result = run(
      server.target(), {.loop = Loop::kOpen, .connections = 1, .rate = 100, .length = seconds(1)});
  EXPECT_EQ(result.requests, 100U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
  EXPECT_GE(result.latency.quantile(0.9), milliseconds(250));
  EXPECT_GE(result.latency.quantile(0.75), milliseconds(100));
}

TEST(Load, WhatIsNeverAnsweredOrNeverSentIsAnErrorThatTookUntilTheEnd) {
  const ScriptServer server([](int) -> Reply { return {}; });
  const LoadResult result = run(server.target(), {.loop = Loop::kOpen,
                                                  .connections = 1,
                                                  .rate = 20,
                                                  .length = milliseconds(500),
                                                  .drain = milliseconds(100)});
  EXPECT_EQ(result.requests, 10U);
  EXPECT_EQ(result.errors, 10U);
  EXPECT_EQ(result.answered, 0U);
  EXPECT_EQ(result.per_second, 0);
  EXPECT_EQ(result.latency.count(), 10U);
  EXPECT_GE(result.latency.quantile(0), milliseconds(100));
  EXPECT_GE(result.latency.quantile(1), milliseconds(590));
  EXPECT_EQ(result.first_error, "no answer in time");
}

TEST(Load, ClosedLoopKeepsEveryConnectionBusy) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  const LoadResult result =
      run(target_of_stub(**stub),
          {.loop = Loop::kClosed, .connections = 8, .length = milliseconds(300)});
  EXPECT_GT(result.requests, 8U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
  EXPECT_EQ(result.answered, result.requests);
}

TEST(Load, AnswersThatAreErrorsAreCountedAndTold) {
  const ScriptServer server([](int request) -> Reply {
    if (request == 1) return {.bytes = "HTTP/1.1 429 No\r\nContent-Length: 8\r\n\r\ntoo\nmany"};
    return {.bytes = ok("{}")};
  });
  const LoadResult result =
      run(server.target(),
          {.loop = Loop::kOpen, .connections = 1, .rate = 100, .length = milliseconds(100)});
  EXPECT_EQ(result.requests, 10U);
  EXPECT_EQ(result.errors, 1U);
  EXPECT_EQ(result.first_error, "status 429: too many");
}

TEST(Load, AConnectionThatIsClosedAfterItsAnswerIsMadeAnew) {
  const ScriptServer server([](int) -> Reply {
    return {.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            .closes = true};
  });
  const LoadResult result =
      run(server.target(),
          {.loop = Loop::kOpen, .connections = 1, .rate = 100, .length = milliseconds(200)});
  EXPECT_EQ(result.requests, 20U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
}

TEST(Load, AConnectionThatIsClosedInsteadOfAnAnswerIsAnError) {
  const ScriptServer server([](int request) -> Reply {
    if (request == 0) return {.bytes = "", .closes = true};
    return {.bytes = request == 1 ? "nonsense\r\n\r\n" : ok("{}")};
  });
  const LoadResult result =
      run(server.target(),
          {.loop = Loop::kOpen, .connections = 1, .rate = 100, .length = milliseconds(100)});
  EXPECT_EQ(result.requests, 10U);
  EXPECT_EQ(result.errors, 2U);
  EXPECT_EQ(result.first_error, "the connection was closed");
}

TEST(Load, StreamsAreMeasuredChunkByChunk) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  (*stub)->set({.delay = milliseconds(20), .chunks = 4, .gap = milliseconds(20)});
  const LoadResult result = run(target_of_stub(**stub), {.loop = Loop::kClosed,
                                                         .connections = 3,
                                                         .length = milliseconds(50),
                                                         .spread = milliseconds(40),
                                                         .chunks = 4,
                                                         .gap = milliseconds(20)});
  EXPECT_EQ(result.requests, 3U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
  EXPECT_EQ(result.latency.count(), 3U);
  EXPECT_GE(result.latency.quantile(0), milliseconds(19));
  EXPECT_EQ(result.jitter.count(), 9U);
  EXPECT_EQ(result.chunks_lost, 0U);
  EXPECT_EQ(result.chunks_doubled, 0U);
}

TEST(Load, GapsAboveAHundredMillisecondsAreStalls) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  (*stub)->set({.chunks = 3, .gap = milliseconds(250)});
  const LoadResult result = run(target_of_stub(**stub), {.loop = Loop::kClosed,
                                                         .connections = 2,
                                                         .length = milliseconds(100),
                                                         .chunks = 3,
                                                         .gap = milliseconds(50)});
  EXPECT_EQ(result.requests, 2U);
  EXPECT_EQ(result.stalls, 4U);
  EXPECT_GE(result.jitter.quantile(1), milliseconds(150));
}

TEST(Load, ChunksThatAreLostOrDoubledAreCounted) {
  const ScriptServer server([](int request) -> Reply {
    return {.bytes = ok(request == 0 ? "tick tick ti" : "tick tick tick tick")};
  });
  const LoadResult result = run(server.target(), {.loop = Loop::kOpen,
                                                  .connections = 1,
                                                  .rate = 20,
                                                  .length = milliseconds(100),
                                                  .chunks = 3});
  EXPECT_EQ(result.requests, 2U);
  EXPECT_EQ(result.chunks_lost, 1U);
  EXPECT_EQ(result.chunks_doubled, 1U);
  EXPECT_EQ(result.errors, 1U);
  EXPECT_EQ(result.first_error, "the stream lacks chunks");
}

TEST(Load, FailsIfNobodyIsThere) {
  const auto any = resolve("127.0.0.1:0");
  auto listener = listen_at(*any);
  ASSERT_TRUE(listener);
  Target target;
  target.address = address_of(*listener);
  *listener = File();
  const auto result = run_load(target, {.connections = 2, .length = seconds(1)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
  EXPECT_THAT(result.error().message,
              HasSubstr("of 2 connections could be made: Connection refused"));
  EXPECT_FALSE(ask_once(target, false, now() + kPatience));
}

TEST(Load, EndsWhenAskedTo) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  const std::atomic<bool> stop = true;
  const auto result =
      run_load(target_of_stub(**stub), {.connections = 1, .length = seconds(1000), .stop = &stop});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kCancelled);
}

TEST(AskOnce, TellsTheWholeAnswer) {
  const auto stub = Stub::start("127.0.0.1:0");
  ASSERT_TRUE(stub);
  const auto answer = ask_once(target_of_stub(**stub), true, now() + kPatience);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("[DONE]"));
}

TEST(AskOnce, DoesNotWaitForEverAndNotForWhatIsCutOff) {
  const ScriptServer silent([](int) -> Reply { return {}; });
  const auto late = ask_once(silent.target(), false, now() + milliseconds(20));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadline);
  const ScriptServer rude([](int) -> Reply { return {.bytes = "HTTP/1.1 200", .closes = true}; });
  const auto cut = ask_once(rude.target(), false, now() + kPatience);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kUnavailable);
}

TEST(Target, IsReadFromAUrl) {
  const auto plain = target_of("http://127.0.0.1:8080/v1/");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1:8080");
  EXPECT_EQ(plain->prefix, "/v1");
  EXPECT_EQ(port_of(plain->address), 8080);
  const auto bare = target_of("http://[::1]");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->prefix, "");
  EXPECT_EQ(port_of(bare->address), 80);
  for (const char* wrong : {"https://127.0.0.1/v1", "127.0.0.1:80", "http://", "http://:80/v1",
                            "http://127.0.0.1:/v1", "http://127.0.0.1:x/v1"}) {
    EXPECT_FALSE(target_of(wrong)) << wrong;
  }
}

TEST(ChatRequest, CarriesKeyAndModel) {
  Target target;
  target.host = "h";
  target.prefix = "/v1";
  target.model = "m";
  target.key = "k";
  const std::string request = chat_request(target, true);
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nAuthorization: Bearer k\r\n"));
  EXPECT_THAT(request, HasSubstr(R"("model":"m")"));
  EXPECT_THAT(request, HasSubstr(R"("stream":true)"));
  target.key.clear();
  const std::string plain = chat_request(target, false);
  EXPECT_EQ(plain.find("Authorization"), std::string::npos);
  EXPECT_EQ(plain.find("stream"), std::string::npos);
}

}  // namespace
}  // namespace hf::load
