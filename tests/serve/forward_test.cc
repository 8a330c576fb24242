// Goal: a request that is passed on goes out and comes back byte for byte, and is paid for like any
// other.
// Method: the server over the whole runtime and an endpoint that keeps the bytes it gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_fixture.h"

namespace hf::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

// Keeps what it is asked as it came, and answers as the test says.
class RawEndpoint {
 public:
  using Script = std::function<void(const net::Request&, const Answer&)>;
  RawEndpoint(net::EventLoop& loop, Script script) : script_(std::move(script)) {
    server_ = *net::HttpServer::listen(loop, "127.0.0.1:0",
                                       [this](net::Request request, const Answer& answer) {
                                         asked.push_back(request);
                                         script_(asked.back(), answer);
                                       });
  }
  [[nodiscard]] std::string url() const { return "http://" + server_->address() + "/v1"; }
  std::vector<net::Request> asked;

 private:
  Script script_;
  std::unique_ptr<net::HttpServer> server_;
};

constexpr std::string_view kAnswer =
    R"({"id":"up","x":[1, 2],"choices":[{"message":{"content":"7"}}],)"
    R"("usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14}})";

void answer_raw(const net::Request&, const Answer& answer) {
  answer->send(200, "application/json", std::string(kAnswer), {{"x-request-id", "up-1"}});
}

class ForwardTest : public ServerTest {
 protected:
  void serve_raw(const RawEndpoint& endpoint, const std::function<void(Config&)>& change = {}) {
    std::vector<EndpointConfig> endpoints(2);
    for (std::size_t i = 0; i < 2; ++i) {
      endpoints[i].endpoint.name = i == 0 ? "near" : "far";
      endpoints[i].endpoint.tier = i == 0 ? Tier::kEdge : Tier::kCloud;
      endpoints[i].endpoint.max_in_flight = 8;
      endpoints[i].url = endpoint.url();
      endpoints[i].model = i == 0 ? "near-model" : "far \"model\"";
    }
    endpoints[1].endpoint.price = {PicoUsd(1'000'000), PicoUsd(500'000), PicoUsd(2'000'000)};
    serve(std::move(endpoints), change);
  }
  std::shared_ptr<Got> post(std::string body, std::string_view path = "/v1/chat/completions") {
    return whole(send("POST", path, std::move(body)));
  }
};

TEST_F(ForwardTest, TheBodyIsTheClientsButForTheModel) {
  RawEndpoint endpoint(loop_, answer_raw);
  serve_raw(endpoint);
  const auto got = post(
      R"({ "messages" : [{"role":"user","content":"\u0041 \/"}], "model":"near" , "odd" : 1e2 })");
  ASSERT_EQ(endpoint.asked.size(), 1U);
  EXPECT_EQ(endpoint.asked[0].body,
            R"({ "messages" : [{"role":"user","content":"\u0041 \/"}], "model":"near-model" ,)"
            R"( "odd" : 1e2 })");
  EXPECT_EQ(endpoint.asked[0].path, "/v1/chat/completions");
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, kAnswer);
  EXPECT_EQ(got->header("x-request-id"), "up-1");
  EXPECT_EQ(got->header("x-hybridflow-edge-tokens"), "14");
  const auto receipt = send("GET", "/v1/runs/" + got->header("x-hybridflow-run"));
  EXPECT_EQ(receipt->status, 200);
}

TEST_F(ForwardTest, AMeteredRequestGetsACapAndIsPaidFor) {
  RawEndpoint endpoint(loop_, answer_raw);
  serve_raw(endpoint);
  const auto got = post(R"({"model":"far","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(
      endpoint.asked[0].body,
      R"({"model":"far \"model\"","messages":[{"role":"user","content":"a"}],"max_tokens":4096})");
  EXPECT_EQ(got->header("x-hybridflow-usd"), "0.000018");
  EXPECT_EQ(got->header("x-hybridflow-cloud-tokens"), "14");
}

TEST_F(ForwardTest, WhatItsBudgetDoesNotAllowIsNotSent) {
  RawEndpoint endpoint(loop_, answer_raw);
  serve_raw(endpoint);
  const auto got =
      post(R"({"model":"far","messages":[{"role":"user","content":"a"}],"max_tokens":1000,)"
           R"("hybridflow":{"budget":{"usd":0.001}}})");
  EXPECT_EQ(got->status, 402);
  EXPECT_EQ(got->at("error.code"), "budget_exceeded");
  EXPECT_EQ(got->at("error.hybridflow.scope"), "query");
  EXPECT_EQ(got->at("error.hybridflow.axis"), "usd");
  EXPECT_EQ(got->at("error.hybridflow.left"), "0.001");
  EXPECT_TRUE(endpoint.asked.empty());
}

TEST_F(ForwardTest, EventsComeAsTheyAreAndTheUsageOnlyToWhoAskedForIt) {
  const std::string events =
      ": hello\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"7\"}}]}\n\n"
      "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n";
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n";
  RawEndpoint endpoint(loop_, [&](const net::Request&, const Answer& answer) {
    begin_stream(*answer);
    for (const char c : events + usage) answer->write(std::string_view(&c, 1));
    answer->write("data: [DONE]\n\n");
    answer->end();
  });
  serve_raw(endpoint);
  const std::string ask =
      R"({"model":"far","stream":true,"messages":[{"role":"user","content":"a"}])";
  const auto without = post(ask + "}");
  EXPECT_THAT(endpoint.asked[0].body, HasSubstr(R"("stream_options":{"include_usage":true})"));
  EXPECT_EQ(without->body, events + "data: [DONE]\n\n");
  const auto with = post(ask + R"(,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(with->body, events + usage + "data: [DONE]\n\n");
  for (const auto& got : {without, with}) {
    const auto receipt = send("GET", "/v1/runs/" + got->header("x-hybridflow-run"));
    EXPECT_EQ(receipt->at("totals.usd"), "0.000011");
  }
}

TEST_F(ForwardTest, ToolsOfAHybridModelGoOutWholeToOneEndpoint) {
  RawEndpoint endpoint(loop_, answer_raw);
  serve_raw(endpoint);
  const auto got = post(R"({"model":"hybrid/auto","messages":[{"role":"user","content":"a"}],)"
                        R"("tools":[{"type":"function","function":{"name":"f"}}]})");
  ASSERT_EQ(endpoint.asked.size(), 1U);
  EXPECT_THAT(endpoint.asked[0].body, HasSubstr(R"("tools":[{"type":"function")"));
  EXPECT_EQ(got->at("choices.0.message.content"), "7");
  EXPECT_EQ(got->at("hybridflow.planned"), "false");
  EXPECT_EQ(got->at("hybridflow.calls.edge"), "1");
}

TEST_F(ForwardTest, AFaultOfTheRequestIsShownAsTheEndpointPutsIt) {
  RawEndpoint endpoint(loop_, [](const net::Request&, const Answer& answer) {
    answer->send(422, "application/problem+json", R"({"detail":"no such tool"})");
  });
  serve_raw(endpoint);
  const auto got = post(R"({"model":"near","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(got->status, 422);
  EXPECT_EQ(got->type, "application/problem+json");
  EXPECT_EQ(got->body, R"({"detail":"no such tool"})");
}

TEST_F(ForwardTest, WhatOneRequestIsRefusedDoesNotShutTheEndpointOutForOthers) {
  int status = 404;
  RawEndpoint endpoint(loop_, [&](const net::Request& request, const Answer& answer) {
    if (status == 200) return answer_raw(request, answer);
    answer->send(status, "application/json", R"({"error":{"message":"no"}})");
  });
  serve_raw(endpoint);
  const std::string ask = R"({"model":"near","messages":[{"role":"user","content":"a"}]})";
  for (status = 404; status != 200; status = status == 404 ? 403 : 200) post(ask);
  EXPECT_EQ(post(ask)->status, 200);
}

TEST_F(ForwardTest, FailuresAreTriedAgainBeforeTheFirstByte) {
  int calls = 0;
  RawEndpoint endpoint(loop_, [&](const net::Request& request, const Answer& answer) {
    if (++calls == 1) return answer->send(503, "text/plain", "busy");
    answer_raw(request, answer);
  });
  serve_raw(endpoint);
  const auto got = post(R"({"model":"near","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(got->body, kAnswer);
}

TEST_F(ForwardTest, AStreamThatBreaksOffEndsWithAnErrorAndIsNotTriedAgain) {
  RawEndpoint endpoint(loop_, [&](const net::Request&, const Answer& answer) {
    begin_stream(*answer);
    answer->write("data: {\"choices\":[{\"delta\":{\"content\":\"7\"}}]}\n\n");
    answer->end();
  });
  serve_raw(endpoint);
  const auto got =
      post(R"({"model":"near","stream":true,"messages":[{"role":"user","content":"a"}]})");
  EXPECT_THAT(got->body, HasSubstr("answer_restarted"));
  EXPECT_THAT(got->body, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(endpoint.asked.size(), 1U);
}

TEST_F(ForwardTest, AnEndWithoutABlankLineComesThroughToo) {
  const std::string events =
      "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]";
  RawEndpoint endpoint(loop_, [&](const net::Request&, const Answer& answer) {
    begin_stream(*answer);
    answer->write(events);
    answer->end();
  });
  serve_raw(endpoint);
  const auto got =
      post(R"({"model":"near","stream":true,"messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(got->body, events);
}

TEST_F(ForwardTest, AStreamThatTheDeadlineCutsEndsWithAnError) {
  Answer held;
  RawEndpoint endpoint(loop_, [&](const net::Request&, const Answer& answer) {
    held = answer;
    begin_stream(*answer);
    answer->write("data: {\"choices\":[{\"delta\":{\"content\":\"7\"}}]}\n\n");
  });
  serve_raw(endpoint);
  const auto got =
      post(R"({"model":"near","stream":true,"messages":[{"role":"user","content":"a"}],)"
           R"("hybridflow":{"deadline_ms":100}})");
  EXPECT_THAT(got->body, HasSubstr("deadline_exceeded"));
  EXPECT_THAT(got->body, Not(HasSubstr("[DONE]")));
}

TEST_F(ForwardTest, EmbeddingsGoToAnEndpoint) {
  RawEndpoint endpoint(loop_, [](const net::Request&, const Answer& answer) {
    answer->send(200, "application/json",
                 R"({"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":8,"total_tokens":8}})");
  });
  serve_raw(endpoint);
  const auto got = post(R"({"model":"far","input":["a"]})", "/v1/embeddings");
  EXPECT_EQ(endpoint.asked[0].path, "/v1/embeddings");
  EXPECT_EQ(endpoint.asked[0].body, R"({"model":"far \"model\"","input":["a"]})");
  EXPECT_EQ(got->header("x-hybridflow-usd"), "0.000008");
  EXPECT_EQ(post(R"({"model":"hybrid/auto","input":"a"})", "/v1/embeddings")->status, 400);
}

TEST_F(ForwardTest, AClientThatLeavesCancelsItsRun) {
  Answer held;
  RawEndpoint endpoint(loop_, [&](const net::Request&, const Answer& answer) {
    held = answer;
    begin_stream(*answer);
    answer->write("data: {\"choices\":[{\"delta\":{\"content\":\"7\"}}]}\n\n");
  });
  serve_raw(endpoint);
  const auto got =
      send("POST", "/v1/chat/completions",
           R"({"model":"near","stream":true,"messages":[{"role":"user","content":"a"}]})");
  turn_until(loop_, [&] { return !got->body.empty(); });
  leave(*got);
  turn_until(loop_, [&] { return server_->running() == 0 && !held->is_open(); });
  const auto receipt = send("GET", "/v1/runs/" + got->header("x-hybridflow-run"));
  EXPECT_EQ(receipt->at("outcome"), "cancelled");
}

}  // namespace
}  // namespace hf::serve
