// Goal: both sides of the chat protocol understand each other, and bad bodies are named, not fatal.
// Method: what one side writes the other reads; hand-made bodies for what strangers send.
#include "wire/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hf::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view body) {
  const auto request = read_chat_request(body);
  return request ? "no error" : request.error().message;
}

TEST(ChatRequest, IsReadAsItWasWritten) {
  ChatRequest request;
  request.model = "m";
  request.messages = {{"system", "s"}, {"user", "u"}};
  request.stream = true;
  request.include_usage = true;
  request.max_tokens = Tokens(7);
  request.temperature = 0.7;
  request.top_p = 0.9;
  request.seed = 42;
  request.stop = {"a", "b"};
  request.logprobs = true;
  request.top_logprobs = 2;
  request.grammar = "root ::= \"x\"";
  request.priority = -3;
  const auto read = read_chat_request(write_chat_request(request));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->model, "m");
  EXPECT_EQ(read->messages, request.messages);
  EXPECT_TRUE(read->stream && read->include_usage && read->logprobs);
  EXPECT_EQ(read->max_tokens, Tokens(7));
  EXPECT_EQ(read->temperature, 0.7);
  EXPECT_EQ(read->top_p, 0.9);
  EXPECT_EQ(read->seed, 42U);
  EXPECT_THAT(read->stop, ElementsAre("a", "b"));
  EXPECT_EQ(read->top_logprobs, 2U);
  EXPECT_EQ(read->grammar, request.grammar);
  EXPECT_EQ(read->priority, -3);
}

TEST(ChatRequest, JoinsTextPartsAndTakesTheNewerNames) {
  const auto read = read_chat_request(
      R"({"messages":[{"role":"developer","content":"d"},
                      {"role":"user","content":[{"type":"text","text":"a"},
                                                {"type":"text","text":"b"}]}],
          "max_completion_tokens":5,"stop":"x","unknown":1})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->messages, ElementsAre(ChatMessage{"system", "d"}, ChatMessage{"user", "ab"}));
  EXPECT_EQ(read->max_tokens, Tokens(5));
  EXPECT_THAT(read->stop, ElementsAre("x"));
}

TEST(ChatRequest, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(error_of("nonsense"), testing::Not("no error"));
  EXPECT_THAT(error_of("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("'messages'"));
  EXPECT_THAT(error_of(R"({"messages":[]})"), HasSubstr("'messages'"));
  EXPECT_THAT(error_of(R"({"messages":[1]})"), HasSubstr("messages[0]"));
  EXPECT_THAT(error_of(R"({"messages":[{"role":"robot","content":"x"}]})"),
              HasSubstr("messages[0].role"));
  EXPECT_THAT(error_of(R"({"messages":[{"role":"user"}]})"), HasSubstr("messages[0].content"));
  EXPECT_THAT(error_of(R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})"),
              HasSubstr("not text"));
  const std::string one = R"({"messages":[{"role":"user","content":"x"}],)";
  EXPECT_THAT(error_of(one + R"("temperature":3})"),
              HasSubstr("'temperature' must be a number from 0 to 2"));
  EXPECT_THAT(error_of(one + R"("temperature":"hot"})"), HasSubstr("'temperature'"));
  EXPECT_THAT(error_of(one + R"("max_tokens":0})"), HasSubstr("'max_tokens'"));
  EXPECT_THAT(error_of(one + R"("max_tokens":1.5})"), HasSubstr("'max_tokens'"));
  EXPECT_THAT(error_of(one + R"("n":2})"), HasSubstr("'n'"));
  EXPECT_THAT(error_of(one + R"("stream":"yes"})"), HasSubstr("'stream'"));
  EXPECT_THAT(error_of(one + R"("tools":[{}]})"), HasSubstr("'tools' is not supported"));
  EXPECT_THAT(error_of(one + R"("stop":[1]})"), HasSubstr("'stop'"));
}

TEST(ChatAnswer, CarriesTextUsageLogprobsAndSignals) {
  ChatPiece piece;
  piece.id = "chatcmpl-1";
  piece.model = "m";
  piece.created = 12;
  piece.content = "hello";
  piece.logprobs = {{"hello", -0.5, {{"hello", -0.5}, {"hi", -1.5}}}};
  piece.finish_reason = "stop";
  piece.usage = Usage{Tokens(10), Tokens(4), Tokens(2)};
  piece.signals = Signals{.mean_logprob = -0.5, .low_logprob = -2.5, .margin = 0.25};
  for (const bool is_chunk : {false, true}) {
    const auto read = is_chunk ? read_chat_chunk(write_chat_chunk(piece, true))
                               : read_chat_answer(write_chat_answer(piece));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->content, "hello");
    EXPECT_EQ(read->finish_reason, "stop");
    EXPECT_EQ(read->usage, piece.usage);
    ASSERT_TRUE(read->signals);
    EXPECT_EQ(read->signals->mean_logprob, -0.5);
    EXPECT_EQ(read->signals->low_logprob, -2.5);
    EXPECT_EQ(read->signals->margin, 0.25);
    ASSERT_EQ(read->logprobs.size(), 1U);
    EXPECT_EQ(read->logprobs[0].top.size(), 2U);
  }
}

TEST(ChatChunk, UsageAloneHasNoChoices) {
  ChatPiece piece;
  piece.usage = Usage{Tokens(1), Tokens(0), Tokens(1)};
  EXPECT_THAT(write_chat_chunk(piece, false), HasSubstr(R"("choices":[])"));
}

TEST(ChatAnswer, HugeUsageIsClampedAndImpossibleOrMissingUsageIsAbsent) {
  const auto huge = read_chat_answer(
      R"({"choices":[{"message":{"content":"x"}}],
          "usage":{"prompt_tokens":9e15,"completion_tokens":5,
                   "prompt_tokens_details":{"cached_tokens":9e15}}})");
  ASSERT_TRUE(huge) << huge.error().message;
  ASSERT_TRUE(huge->usage);
  EXPECT_EQ(huge->usage->prompt, Tokens(100'000'000));
  EXPECT_EQ(huge->usage->completion, Tokens(5));
  EXPECT_LE(huge->usage->cached, huge->usage->prompt);
  const auto cached = read_chat_answer(
      R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1,
          "prompt_tokens_details":{"cached_tokens":25}}})");
  ASSERT_TRUE(cached && cached->usage);
  EXPECT_EQ(cached->usage->cached, Tokens(10));
  const auto negative =
      read_chat_answer(R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":-5}})");
  ASSERT_TRUE(negative);
  EXPECT_FALSE(negative->usage);
  const auto half = read_chat_answer(R"({"choices":[],"usage":{"prompt_tokens":10}})");
  ASSERT_TRUE(half);
  EXPECT_FALSE(half->usage);  // Half a bill is none.
  const auto none =
      read_chat_answer(R"({"choices":[{"message":{"content":"x"}}],"usage":{"total_tokens":3}})");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->usage);
}

TEST(ChatAnswer, WhatIsNotAnAnswerIsAnError) {
  EXPECT_FALSE(read_chat_answer("<html>"));
  EXPECT_FALSE(read_chat_answer("[]"));
  EXPECT_FALSE(read_chat_answer("{}"));
  EXPECT_FALSE(read_chat_answer(R"({"choices":[{}]})"));
  const auto error = read_chat_chunk(R"({"error":{"message":"too much"}})");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, Code::kUnavailable);
  EXPECT_EQ(error.error().message, "too much");
}

TEST(ChatError, IsReadInEveryCommonForm) {
  EXPECT_EQ(read_chat_error(write_chat_error("m", "t", "c")), "m");
  EXPECT_EQ(read_chat_error(R"({"error":"plain"})"), "plain");
  EXPECT_EQ(read_chat_error(R"({"message":"other"})"), "other");
  EXPECT_EQ(read_chat_error("a\nb"), "a b");
  EXPECT_LE(read_chat_error(std::string(10'000, 'x')).size(), 300U);
}

}  // namespace
}  // namespace hf::wire
