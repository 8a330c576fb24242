// Goal: over HTTP with a real model: the queue's limit, cancellation by closing, lazy loading, the
// lab's cache, embeddings and token counts.
// Method: the whole engine on one loop with the real client; skipped where the test model is
// missing.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.h"
#include "engine/service.h"
#include "harness.h"
#include "wire/json.h"

namespace hf::engine {
namespace {

std::string chat_body(const std::string& text, int max_tokens, bool is_streamed = false) {
  return R"({"temperature":0,"max_tokens":)" + std::to_string(max_tokens) +
         (is_streamed ? R"(,"stream":true)" : "") + R"(,"messages":[{"role":"user","content":")" +
         text + R"("}]})";
}

Worker::Options small_engine() {
  Worker::Options work;
  work.model_path = test_model();
  work.slots = 1;
  work.context = 1024;
  return work;
}

TEST(ModelService, RequestsWaitWhileTheModelLoads) {
  HF_NEED_TEST_MODEL();
  Rig rig(small_engine());
  EXPECT_EQ(rig.ask("GET", "/health").status, 503);
  const Reply reply = rig.chat(chat_body("Say hi.", 4));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(rig.ask("GET", "/health").status, 200);
}

TEST(ModelService, OnlyRequestsWithoutAFreeSlotCountAsWaiting) {
  HF_NEED_TEST_MODEL();
  Worker::Options work = small_engine();
  work.slots = 4;
  work.queue = 1;
  Rig rig(work);
  for (int round = 0; round < 2; ++round) {  // While the model loads, and when it is idle.
    std::vector<std::shared_ptr<Reply>> replies;
    for (int i = 0; i < 5; ++i) {
      replies.push_back(std::make_shared<Reply>());
      rig.start("POST", "/v1/chat/completions", chat_body("Say hi.", 2), replies.back());
    }
    rig.run();
    for (const auto& reply : replies) EXPECT_EQ(reply->status, 200) << round << reply->body;
  }
}

TEST(ModelService, FullQueueIsRefusedWith429) {
  HF_NEED_TEST_MODEL();
  Worker::Options work = small_engine();
  work.queue = 2;
  Rig rig(work);
  std::vector<std::shared_ptr<Reply>> replies;
  for (int i = 0; i < 5; ++i) {
    replies.push_back(std::make_shared<Reply>());
    rig.start("POST", "/v1/chat/completions", chat_body("Say hi.", 2), replies.back());
  }
  rig.run();
  int served = 0;
  int refused = 0;
  for (const auto& reply : replies) {
    served += reply->status == 200 ? 1 : 0;
    refused += reply->status == 429 ? 1 : 0;
  }
  EXPECT_EQ(served + refused, 5);
  EXPECT_GE(served, 2);
  EXPECT_GE(refused, 1);
}

TEST(ModelService, ClosedConnectionEndsTheWork) {
  HF_NEED_TEST_MODEL();
  Rig rig(small_engine());
  auto endless = std::make_shared<Reply>();
  auto second = std::make_shared<Reply>();
  const auto id =
      rig.start("POST", "/v1/chat/completions", chat_body("Tell a story.", 900, true), endless);
  rig.on_bytes = [&] {
    if (endless->chunks != 3 || second->chunks > 0) return;
    ++endless->chunks;
    rig.start("POST", "/v1/chat/completions", chat_body("Say hi.", 3), second);
    rig.cancel(id);
  };
  rig.run();
  EXPECT_EQ(second->status, 200);  // There is one slot: the first had to go.
  EXPECT_LT(rig.stats().completion_tokens, 200U);
  EXPECT_TRUE(rig.ask("GET", "/metrics").has("{status=\"499\"} 1"));
}

TEST(ModelService, KeptAnswerIsReplayedWithoutTheModel) {
  HF_NEED_TEST_MODEL();
  const TemporaryDirectory answers;
  const auto engine = [&](const std::string& model) {
    Worker::Options work = small_engine();
    work.model_path = model;
    work.loading = Loading::kWhenNeeded;
    Service::Options options;
    options.loading = Loading::kWhenNeeded;
    options.lab.cache_directory = answers.path();
    options.lab_cache = LabCache::open(answers.path()).value();
    return std::make_unique<Rig>(work, options);
  };
  const Reply first = engine(test_model())->chat(chat_body("Name a river.", 12));
  ASSERT_EQ(first.status, 200);
  const Reply again = engine("/none.gguf")->chat(chat_body("Name a river.", 12));
  ASSERT_EQ(again.status, 200);
  const auto before = wire::read_chat_answer(first.body).value();
  const auto after = wire::read_chat_answer(again.body).value();
  EXPECT_EQ(after.content, before.content);
  EXPECT_EQ(after.usage, before.usage);
}

TEST(ModelService, TokensAreCountedForTextAndChat) {
  HF_NEED_TEST_MODEL();
  Worker::Options work = small_engine();
  work.loading = Loading::kWhenNeeded;  // The first count makes it load.
  Rig rig(work);
  const Reply text = rig.ask("POST", "/tokenize", R"({"content":"one two three"})");
  ASSERT_EQ(text.status, 200);
  const Reply chat =
      rig.ask("POST", "/tokenize", R"({"messages":[{"role":"user","content":"one two three"}]})");
  const auto count = [](const Reply& reply) {
    return wire::find_integer(wire::parse_json(reply.body).value().get_object(), "count").value();
  };
  EXPECT_EQ(count(text), 3);
  EXPECT_GT(count(chat), count(text));
  EXPECT_EQ(rig.ask("POST", "/tokenize", "{}").status, 400);
  EXPECT_EQ(rig.ask("POST", "/tokenize", "x").status, 400);
}

TEST(ModelService, EmbeddingsAreOfLengthOneAndInOrder) {
  HF_NEED_TEST_MODEL();
  Worker::Options work = small_engine();
  work.can_embed = true;
  Rig rig(work);
  const auto embed = [&](const std::string& input) {
    return rig.ask("POST", "/v1/embeddings", R"({"input":)" + input + "}");
  };
  const Reply reply = embed(R"(["a dog", "the market fell"])");
  ASSERT_EQ(reply.status, 200);
  const auto value = wire::parse_json(reply.body).value();
  const auto& data = value.at("data").as_array();
  ASSERT_EQ(data.size(), 2U);
  double squares = 0;
  for (const auto& x : data[0].at("embedding").as_array())
    squares += std::pow(x.to_number<double>(), 2);
  EXPECT_NEAR(squares, 1, 1e-3);
  EXPECT_NE(data[0].at("embedding"), data[1].at("embedding"));
  EXPECT_GT(value.at("usage").at("prompt_tokens").as_int64(), 4);
  EXPECT_EQ(embed("\"\"").status, 400);
  EXPECT_EQ(embed("[]").status, 400);
  EXPECT_EQ(embed("[1]").status, 400);
  EXPECT_EQ(embed("\"" + std::string(20'000, 'x') + " y\"").status, 400);
}

TEST(ModelService, EmbeddingsNeedTheirOption) {
  HF_NEED_TEST_MODEL();
  Rig rig(small_engine());
  const Reply reply = rig.ask("POST", "/v1/embeddings", R"({"input":"a dog"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_TRUE(reply.has("--embedding"));
}

TEST(Engine, WrongOptionsAndFilesEndWithTwoAndOneSentence) {
  const auto run = [](const EngineOptions& options) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_engine(options), 2);
    return testing::internal::GetCapturedStderr();
  };
  EngineOptions options;
  options.model_path = "/nowhere/none.gguf";
  EXPECT_NE(run(options).find("/nowhere/none.gguf"), std::string::npos);
  options.context = 8;
  EXPECT_NE(run(options).find("--context"), std::string::npos);
  options.context = 1024;
  options.lab.failure_rate = 2;
  EXPECT_NE(run(options).find("--lab-failure-rate"), std::string::npos);
}

}  // namespace
}  // namespace hf::engine
