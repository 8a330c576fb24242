// Goal: the stub upstream answers as a service would, in its shape and at its pace.
// Method: the real process, asked over sockets; what it says is parsed as JSON.
#include "load/stub.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/src.hpp>

#include "load/client.h"
#include "script.h"

namespace hf::load {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

std::unique_ptr<Stub> started() {
  auto stub = Stub::start("127.0.0.1:0");
  EXPECT_TRUE(stub) << stub.error().message;
  return *std::move(stub);
}

// What comes back for these bytes: as many answers as asked for.
std::vector<Answer> exchange(const Stub& stub, std::string_view bytes, std::size_t answers) {
  Wire wire(stub.address());
  wire.send(bytes);
  std::vector<Answer> all;
  for (std::size_t i = 0; i < answers; ++i) all.push_back(wire.receive_answer());
  return all;
}

std::string post(std::string_view body) {
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", body.size(),
      body);
}

// The data of each event.
std::vector<std::string> events_of(std::string_view body) {
  std::vector<std::string> events;
  while (!body.empty()) {
    const auto end = body.find("\n\n");
    EXPECT_NE(end, std::string_view::npos);
    EXPECT_TRUE(body.starts_with("data: "));
    if (end == std::string_view::npos) break;
    events.emplace_back(body.substr(6, end - 6));
    body.remove_prefix(end + 2);
  }
  return events;
}

TEST(Stub, AnswersACompletion) {
  const auto stub = started();
  const auto answers = exchange(*stub, post(R"({"model":"stub","stream":false})"), 1);
  EXPECT_EQ(answers[0].status, 200);
  const json::value value = json::parse(answers[0].body);
  EXPECT_EQ(value.at("object").as_string(), "chat.completion");
  EXPECT_EQ(value.at("choices").at(0).at("message").at("content").as_string(), kTick);
  EXPECT_EQ(value.at("choices").at(0).at("finish_reason").as_string(), "stop");
  EXPECT_EQ(value.at("usage").at("total_tokens").as_int64(),
            value.at("usage").at("prompt_tokens").as_int64() +
                value.at("usage").at("completion_tokens").as_int64());
}

TEST(Stub, StreamsAsManyChunksAsSet) {
  const auto stub = started();
  stub->set({.chunks = 5});
  const auto answers =
      exchange(*stub, post(R"({"stream": true,"stream_options":{"include_usage":true}})"), 1);
  const auto events = events_of(answers[0].body);
  ASSERT_EQ(events.size(), 9U);  // The role, five chunks, the end, the usage, [DONE].
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  for (std::size_t i = 0; i + 2 < events.size(); ++i) {
    const json::value value = json::parse(events[i]);
    EXPECT_EQ(value.at("object").as_string(), "chat.completion.chunk");
    const auto& delta = value.at("choices").at(0).at("delta").as_object();
    if (delta.contains("content")) text += delta.at("content").as_string();
  }
  EXPECT_EQ(text, "tick tick tick tick tick ");
  EXPECT_EQ(json::parse(events[7]).at("usage").at("completion_tokens").as_int64(), 5);
  const auto bare = exchange(*stub, post(R"({"stream":true})"), 1);
  EXPECT_EQ(events_of(bare[0].body).size(), 8U);
}

TEST(Stub, ListsItsModelAndKnowsNoOtherPaths) {
  const auto stub = started();
  const auto answers = exchange(*stub,
                                "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
                                2);
  EXPECT_EQ(answers[0].status, 200);
  EXPECT_EQ(json::parse(answers[0].body).at("data").at(0).at("id").as_string(), "stub");
  EXPECT_EQ(answers[1].status, 404);
  EXPECT_TRUE(json::parse(answers[1].body).at("error").is_object());
}

TEST(Stub, AnswersPipelinedRequestsInTheirOrder) {
  const auto stub = started();
  stub->set({.delay = milliseconds(1), .chunks = 1});
  const auto answers = exchange(
      *stub, post("{}") + "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n" + post(R"({"stream":true})"),
      3);
  EXPECT_NE(answers[0].body.find("chat.completion"), std::string::npos);
  EXPECT_NE(answers[1].body.find("list"), std::string::npos);
  EXPECT_NE(answers[2].body.find("[DONE]"), std::string::npos);
}

TEST(Stub, ClosesWhenAskedToAndWhenItCannotRead) {
  const auto stub = started();
  Wire polite(stub->address());
  polite.send(
      "POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(polite.receive_answer().status, 200);
  EXPECT_TRUE(polite.is_closed_by_peer());
  Wire strange(stub->address());
  strange.send("nonsense\r\n\r\n");
  EXPECT_TRUE(strange.is_closed_by_peer());
}

TEST(Stub, AnswersNotBeforeItsDelay) {
  const auto stub = started();
  stub->set({.delay = milliseconds(30), .chunks = 3, .gap = milliseconds(10)});
  const TimePoint begin = now();
  exchange(*stub, post("{}"), 1);
  EXPECT_GE(now() - begin, milliseconds(30));
  const TimePoint second = now();
  exchange(*stub, post(R"({"stream":true})"), 1);
  EXPECT_GE(now() - second, milliseconds(50));
}

TEST(Stub, SaysThatItCannotListen) {
  const auto stub = started();
  EXPECT_FALSE(Stub::start(stub->address()));
  EXPECT_FALSE(Stub::start("nowhere"));
}

}  // namespace
}  // namespace hf::load
