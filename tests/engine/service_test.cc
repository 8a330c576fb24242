// Goal: the routes speak OpenAI's protocol, refuse what is wrong, and behave as the lab says.
// Method: the real server and client on loopback; answers come from the lab's cache, so there is
// no model, and the one that is named does not exist.
#include "engine/service.h"

#include <gtest/gtest.h>

#include "harness.h"

namespace hf::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto kHello = R"({"messages":[{"role":"user","content":"hello"}]})";
constexpr auto kHelloStreamed = R"({"messages":[{"role":"user","content":"hello"}],"stream":true,)"
                                R"("stream_options":{"include_usage":true}})";

class ServiceTest : public testing::Test {
 protected:
  // An engine whose cache answers "hello" with three pieces.
  Rig& engine(LabOptions lab = {}) {
    const LabCache cache = LabCache::open(answers_.path()).value();
    std::vector<wire::ChatPiece> pieces(3);
    pieces[0].content = "Hi";
    pieces[1].content = " there";
    pieces[2].finish_reason = "stop";
    pieces[2].usage = Usage{.prompt = Tokens(5), .cached = Tokens(2), .completion = Tokens(3)};
    pieces[2].signals = Signals{.mean_logprob = -0.5, .margin = 0.25};
    const auto request = wire::read_chat_request(kHello).value();
    EXPECT_TRUE(cache.keep(LabCache::key("test", request), pieces).has_value());
    lab.cache_directory = answers_.path();
    Service::Options options;
    options.loading = Loading::kWhenNeeded;
    options.lab = lab;
    options.lab_cache = cache;
    Worker::Options work;
    work.model_path = answers_.path() + "/missing.gguf";
    work.loading = Loading::kWhenNeeded;
    rig_ = std::make_unique<Rig>(std::move(work), std::move(options));
    return *rig_;
  }

  TemporaryDirectory answers_;
  std::unique_ptr<Rig> rig_;
};

TEST_F(ServiceTest, WholeAnswerHasTextUsageAndSignals) {
  const Reply reply = engine().chat(kHello);
  EXPECT_EQ(reply.status, 200);
  const auto answer = wire::read_chat_answer(reply.body).value();
  EXPECT_EQ(answer.content, "Hi there");
  EXPECT_EQ(answer.finish_reason, "stop");
  EXPECT_EQ(answer.model, "test");
  EXPECT_EQ(answer.usage->cached, Tokens(2));
  EXPECT_EQ(answer.signals->margin, 0.25);
}

TEST_F(ServiceTest, StreamedAnswerEndsWithUsageAndDone) {
  const Reply reply = engine().chat(kHelloStreamed);
  EXPECT_EQ(reply.status, 200);
  const auto at = [&](std::string_view text) { return reply.body.find(text); };
  EXPECT_LT(at(R"("role":"assistant")"), at("Hi"));
  EXPECT_LT(at("Hi"), at(" there"));
  EXPECT_LT(at(" there"), at(R"("finish_reason":"stop")"));
  EXPECT_LT(at(R"("finish_reason":"stop")"), at(R"("prompt_tokens":5)"));
  EXPECT_LT(at(R"("prompt_tokens":5)"), at("data: [DONE]\n\n"));
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ServiceTest, UsageIsStreamedOnlyWhenAsked) {
  const Reply reply =
      engine().chat(R"({"messages":[{"role":"user","content":"hello"}],"stream":true})");
  EXPECT_FALSE(reply.has("prompt_tokens"));
  EXPECT_TRUE(reply.has("mean_logprob"));
}

TEST_F(ServiceTest, WrongRequestsAreRefusedWithTheFormOfOpenAi) {
  Rig& rig = engine();
  const Reply bad = rig.chat("{");
  EXPECT_EQ(bad.status, 400);
  EXPECT_TRUE(bad.has(R"("type":"invalid_request_error")"));
  EXPECT_EQ(rig.chat("{}").status, 400);
  EXPECT_TRUE(rig.chat(R"({"messages":[]})").has("is empty"));
  const auto refused = [&rig](const std::string& more) {
    const Reply reply =
        rig.chat(R"({"messages":[{"role":"user","content":"hello"}],)" + more + "}");
    EXPECT_TRUE(reply.status == 200 || reply.has("not supported")) << reply.body;
    return reply.status == 400;
  };
  EXPECT_TRUE(refused(R"("response_format":{"type":"json_object"})"));
  EXPECT_TRUE(refused(R"("response_format":"json")"));
  EXPECT_TRUE(refused(R"("top_logprobs":2)"));
  EXPECT_FALSE(refused(R"("response_format":{"type":"text"})"));
  EXPECT_FALSE(refused(R"("top_logprobs":0)"));
  const Reply other =
      rig.chat(R"({"model":"other","messages":[{"role":"user","content":"hello"}]})");
  EXPECT_EQ(other.status, 404);
  EXPECT_TRUE(other.has("model_not_found"));
  EXPECT_EQ(rig.ask("GET", "/nothing").status, 404);
  EXPECT_EQ(rig.ask("GET", "/v1/chat/completions").status, 405);
  EXPECT_EQ(rig.ask("POST", "/health").status, 405);
}

TEST_F(ServiceTest, ServedNameEmptyAndDefaultAreTheSameModel) {
  Rig& rig = engine();
  for (const std::string name : {"test", "", "default"}) {
    EXPECT_EQ(
        rig.chat(R"({"model":")" + name + R"(","messages":[{"role":"user","content":"hello"}]})")
            .status,
        200);
  }
}

TEST_F(ServiceTest, ModelsHealthAndMetricsNeedNoModel) {
  Rig& rig = engine();
  EXPECT_TRUE(rig.ask("GET", "/v1/models").has(R"("id":"test")"));
  EXPECT_EQ(rig.ask("GET", "/health").body, R"({"status":"ok"})");
  static_cast<void>(rig.chat(kHello));
  const Reply metrics = rig.ask("GET", "/metrics");
  EXPECT_TRUE(metrics.has("hybridflow_engine_requests_total{status=\"200\"} "));
  EXPECT_TRUE(metrics.has("hybridflow_engine_queue_length 0"));
}

TEST_F(ServiceTest, ModelThatCannotBeLoadedFailsTheRequestThatNeedsIt) {
  Rig& rig = engine();
  const Reply reply = rig.chat(R"({"messages":[{"role":"user","content":"not kept"}]})");
  EXPECT_EQ(reply.status, 500);
  EXPECT_TRUE(reply.has("model_not_loaded"));
  EXPECT_EQ(rig.chat(kHello).status, 200);  // The kept answer still works.
}

TEST_F(ServiceTest, LabHoldsTheFirstByteBackForTheRoundTripAndPacesTheRest) {
  LabOptions lab;
  lab.round_trip = 60ms;
  lab.tokens_per_second = 50;
  const Reply reply = engine(lab).chat(kHelloStreamed);
  EXPECT_EQ(reply.status, 200);
  EXPECT_GE(reply.took, 100ms);  // 60 + 2 intervals of 20; a lower bound cannot flake.
  EXPECT_GE(reply.chunks, 3U);
}

TEST_F(ServiceTest, LabFailsRequestsAtItsRate) {
  LabOptions lab;
  lab.failure_rate = 1;
  Rig& rig = engine(lab);
  int errors = 0;
  int cuts = 0;
  for (int i = 0; i < 12; ++i) {
    const Reply reply = rig.chat(kHelloStreamed);
    EXPECT_FALSE(reply.has("[DONE]"));
    errors += reply.status == 500 ? 1 : 0;
    cuts += reply.error == net::CallError::kCut ? 1 : 0;
  }
  EXPECT_EQ(errors + cuts, 12);
  EXPECT_GT(errors, 0);
  EXPECT_GT(cuts, 0);
}

}  // namespace
}  // namespace hf::engine
