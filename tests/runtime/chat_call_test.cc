// Goal: whatever an endpoint sends ends in exactly one class of ending, and text arrives in order.
// Method: real calls over loopback to a server that plays each kind of trouble.
#include "runtime/chat_call.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../net/raw.h"
#include "chat_call_fixture.h"

namespace hf {
namespace {

TEST_F(ChatCallTest, AStreamedAnswerArrivesInPiecesWithItsUsage) {
  const auto ended = run_stream(text_frame("The answer ") + text_frame("is 7.") + finish_frame() +
                                usage_frame(100, 9) + std::string(wire::kSseDone));
  EXPECT_EQ(ended.failure, Failure::kNone);
  EXPECT_EQ(ended.detail, "");
  EXPECT_EQ(texts_, (std::vector<std::string>{"The answer ", "is 7."}));
  EXPECT_EQ(text_, "The answer is 7.");
  ASSERT_TRUE(ended.usage.has_value());
  EXPECT_EQ(ended.usage->prompt, Tokens(100));
  EXPECT_EQ(ended.usage->completion, Tokens(9));
  EXPECT_TRUE(ended.billable);
  EXPECT_FALSE(ended.cut_by_length);
  EXPECT_FALSE(ended.signals.has_value());
}

TEST_F(ChatCallTest, AFrameTornIntoSingleBytesIsOnePiece) {
  const std::string body = text_frame("h\xC3\xA9llo \xE2\x82\xAC") + finish_frame();
  // A byte a turn, so that they do not leave together.
  const auto ended = run([&](const Answer& answer) {
    begin_stream(*answer);
    auto step = std::make_shared<std::function<void(std::size_t)>>();
    *step = [this, answer, body, weak = std::weak_ptr(step)](std::size_t at) {
      if (at == body.size()) return answer->end();
      answer->write(body.substr(at, 1));
      loop_.post([step = weak.lock(), at] { (*step)(at + 1); });
    };
    (*step)(0);
    loop_.post([step] {});
  });
  EXPECT_EQ(ended.failure, Failure::kNone) << ended.detail;
  EXPECT_EQ(texts_, (std::vector<std::string>{"h\xC3\xA9llo \xE2\x82\xAC"}));
}

TEST_F(ChatCallTest, TheEndMarkAloneCompletesAnAnswer) {
  const auto ended = run_stream(text_frame("7") + std::string(wire::kSseDone));
  EXPECT_EQ(ended.failure, Failure::kNone);
  EXPECT_FALSE(ended.usage.has_value());
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AnAnswerAtItsTokenCapIsMarked) {
  const auto ended = run_stream(text_frame("and then") + finish_frame("length"));
  EXPECT_EQ(ended.failure, Failure::kNone);
  EXPECT_TRUE(ended.cut_by_length);
}

TEST_F(ChatCallTest, AServerThatAnswersWholeIsUnderstood) {
  wire::ChatPiece piece;
  piece.content = "Answer: 7";
  piece.finish_reason = "length";
  piece.usage = Usage{.prompt = Tokens(50), .cached = Tokens(8), .completion = Tokens(4)};
  const auto ended = run([&](const Answer& answer) {
    answer->send(200, "application/json", "\n " + wire::write_chat_answer(piece));
  });
  EXPECT_EQ(ended.failure, Failure::kNone) << ended.detail;
  EXPECT_EQ(texts_, (std::vector<std::string>{"Answer: 7"}));
  EXPECT_EQ(ended.usage, piece.usage);
  EXPECT_TRUE(ended.cut_by_length);
}

TEST_F(ChatCallTest, LogprobsBecomeSignals) {
  wire::ChatPiece first;
  first.content = "7";
  first.logprobs = {
      {.token = "7", .logprob = -0.5, .top = {{"7", std::log(0.6)}, {"8", std::log(0.2)}}}};
  wire::ChatPiece second;
  second.content = ".";
  second.logprobs = {
      {.token = ".", .logprob = -1.5, .top = {{".", std::log(0.5)}, {"!", std::log(0.3)}}}};
  const auto ended =
      run_stream(wire::sse_frame(wire::write_chat_chunk(first, true)) +
                 wire::sse_frame(wire::write_chat_chunk(second, false)) + finish_frame());
  ASSERT_TRUE(ended.signals.has_value());
  EXPECT_NEAR(ended.signals->mean_logprob.value(), -1.0, 1e-9);
  EXPECT_NEAR(ended.signals->margin.value(), 0.3, 1e-9);
}

TEST_F(ChatCallTest, SignalsOfTheEndpointWinOverLogprobs) {
  wire::ChatPiece piece;
  piece.content = "7";
  piece.logprobs = {{.token = "7", .logprob = -0.5, .top = {}}};
  piece.signals = Signals{.mean_logprob = -0.25, .margin = 0.75};
  const auto ended =
      run_stream(wire::sse_frame(wire::write_chat_chunk(piece, true)) + finish_frame());
  ASSERT_TRUE(ended.signals.has_value());
  EXPECT_EQ(ended.signals->mean_logprob, -0.25);
  EXPECT_EQ(ended.signals->margin, 0.75);
}

// ---- statuses ----

struct StatusCase {
  int status;
  Failure failure;
};

class Statuses : public ChatCallTest, public testing::WithParamInterface<StatusCase> {};

TEST_P(Statuses, HaveTheirClassAndSayWhatTheServerSaid) {
  const auto ended = run([&](const Answer& answer) {
    answer->send(GetParam().status, "application/json",
                 wire::write_chat_error("no, sorry", "some_type", "some_code"));
  });
  EXPECT_EQ(ended.failure, GetParam().failure);
  EXPECT_EQ(ended.detail, "HTTP " + std::to_string(GetParam().status) + ": no, sorry");
  EXPECT_FALSE(ended.billable);
  EXPECT_FALSE(ended.retry_after.has_value());
  EXPECT_EQ(text_, "");
}

INSTANTIATE_TEST_SUITE_P(
    ChatCall, Statuses,
    testing::Values(StatusCase{400, Failure::kRejected}, StatusCase{401, Failure::kUnauthorized},
                    StatusCase{403, Failure::kUnauthorized}, StatusCase{404, Failure::kNotFound},
                    StatusCase{408, Failure::kFirstTokenTimeout},
                    StatusCase{418, Failure::kRejected}, StatusCase{429, Failure::kRateLimited},
                    StatusCase{500, Failure::kServer}, StatusCase{502, Failure::kServer},
                    StatusCase{503, Failure::kOverloaded}, StatusCase{529, Failure::kOverloaded}),
    [](const auto& each) { return "Http" + std::to_string(each.param.status); });

TEST_F(ChatCallTest, RetryAfterIsPassedOn) {
  const auto ended = run([](const Answer& answer) {
    answer->send(429, "application/json", "{}", {{"Retry-After", "7"}});
  });
  EXPECT_EQ(ended.failure, Failure::kRateLimited);
  EXPECT_EQ(ended.retry_after, Duration(7s));
}

TEST_F(ChatCallTest, AnErrorWithoutWordsNamesItsStatus) {
  const auto ended = run([](const Answer& answer) { answer->send(500, "text/plain", ""); });
  EXPECT_EQ(ended.detail, "HTTP 500");
}

TEST_F(ChatCallTest, AnEndlessErrorPageIsShortened) {
  const auto ended = run(
      [](const Answer& answer) { answer->send(500, "text/plain", std::string(1'000'000, 'x')); });
  EXPECT_EQ(ended.failure, Failure::kServer);
  EXPECT_LT(ended.detail.size(), 400U);
}

// ---- answers that are none ----

TEST_F(ChatCallTest, AStreamThatBreaksOffIsCutAndKeepsItsText) {
  const auto ended = run([](const Answer& answer) {
    begin_stream(*answer);
    answer->write(text_frame("half an ans"));
    // Letting go of the answer closes the connection.
  });
  EXPECT_EQ(ended.failure, Failure::kCut);
  EXPECT_NE(ended.detail, "");
  EXPECT_TRUE(ended.billable);
  EXPECT_EQ(text_, "half an ans");
}

TEST_F(ChatCallTest, AStreamThatEndsInOrderButTooEarlyIsCutToo) {
  const auto ended = run_stream(text_frame("half an ans"));
  EXPECT_EQ(ended.failure, Failure::kCut);
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AConnectionClosedWithoutAWordIsCutAndMayHaveBeenCharged) {
  std::vector<Answer> kept;
  serve([&](const Answer& answer) {
    kept.push_back(answer);
    loop_.post([this] { server_.reset(); });
  });
  const auto ended = run(call());
  EXPECT_EQ(ended.failure, Failure::kCut);
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AChunkThatIsNotJsonIsMalformed) {
  const auto ended = run_stream(text_frame("half") + "data: {\"choices\": [nonsense\n\n" +
                                text_frame("more") + finish_frame());
  EXPECT_EQ(ended.failure, Failure::kMalformed);
  // What comes behind it is not taken in.
  EXPECT_EQ(text_, "half");
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AnEventLargerThanAnyChunkIsMalformed) {
  serve(
      [](const Answer& answer) {
        begin_stream(*answer);
        answer->write("data: " + std::string(5'000'000, 'x'));
        answer->end();
      },
      {.buffered_bytes = 8'000'000});
  EXPECT_EQ(run(call()).failure, Failure::kMalformed);
}

TEST_F(ChatCallTest, AnErrorInsideAStreamIsTheServersFailure) {
  const auto ended =
      run_stream(text_frame("half") +
                 wire::sse_frame(wire::write_chat_error("out of memory", "server_error", "oom")) +
                 std::string(wire::kSseDone));
  EXPECT_EQ(ended.failure, Failure::kServer);
  EXPECT_TRUE(ended.detail.contains("out of memory"));
}

TEST_F(ChatCallTest, AnErrorWithStatus200IsTheServersFailure) {
  const auto ended = run([](const Answer& answer) {
    answer->send(200, "application/json", wire::write_chat_error("out of memory", "x", "y"));
  });
  EXPECT_EQ(ended.failure, Failure::kServer);
  EXPECT_TRUE(ended.detail.contains("out of memory"));
}

TEST_F(ChatCallTest, AWebPageIsMalformedAndNotQuoted) {
  const auto ended = run(
      [](const Answer& answer) { answer->send(200, "text/html", "<html>please log in</html>"); });
  EXPECT_EQ(ended.failure, Failure::kMalformed);
  EXPECT_FALSE(ended.detail.contains("log in"));
  EXPECT_TRUE(ended.detail.contains("text/html")) << ended.detail;
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, JsonThatIsNoAnswerIsMalformed) {
  for (const char* body : {"{}", "{\"choices\": 3}", "{\"choices\": [{}]}", "{\"choices\""}) {
    const auto ended =
        run([&](const Answer& answer) { answer->send(200, "application/json", body); });
    EXPECT_EQ(ended.failure, Failure::kMalformed) << body;
  }
}

TEST_F(ChatCallTest, AnAnswerWithoutTextIsMalformed) {
  EXPECT_EQ(run_stream(finish_frame()).failure, Failure::kMalformed);
  EXPECT_EQ(run_stream(text_frame(" \n\t") + finish_frame()).failure, Failure::kMalformed);
  EXPECT_EQ(run_stream(" \r\n").failure, Failure::kMalformed);
  const auto nothing = run([](const Answer& answer) { answer->send(200, "text/plain", ""); });
  EXPECT_EQ(nothing.failure, Failure::kMalformed);
  EXPECT_EQ(nothing.detail, "the answer was empty");
  // A status of success may well be charged for.
  EXPECT_TRUE(nothing.billable);
}

// ---- the connection ----

TEST_F(ChatCallTest, ARefusedConnectionIsSurelyFree) {
  serve([](const Answer&) {});
  net::Call nowhere = call();
  server_.reset();
  const auto ended = run(std::move(nowhere));
  EXPECT_EQ(ended.failure, Failure::kRefused);
  EXPECT_FALSE(ended.billable);
}

TEST_F(ChatCallTest, SilenceIsATimeoutAndMayHaveBeenCharged) {
  std::vector<Answer> kept;
  serve([&](const Answer& answer) { kept.push_back(answer); });
  net::Call made = call();
  made.first_byte_timeout = 30ms;
  const auto ended = run(std::move(made));
  EXPECT_EQ(ended.failure, Failure::kFirstTokenTimeout);
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AStalledStreamIsATimeoutAndKeepsItsText) {
  std::vector<Answer> kept;
  serve([&](const Answer& answer) {
    kept.push_back(answer);
    begin_stream(*answer);
    answer->write(text_frame("half"));
  });
  net::Call made = call();
  made.gap_timeout = 30ms;
  const auto ended = run(std::move(made));
  EXPECT_EQ(ended.failure, Failure::kGapTimeout);
  EXPECT_EQ(text_, "half");
  EXPECT_TRUE(ended.billable);
}

TEST_F(ChatCallTest, AnAnswerOverTheLimitIsMalformed) {
  serve([](const Answer& answer) {
    answer->send(200, "application/json", "{" + std::string(10'000, ' '));
  });
  net::Call made = call();
  made.body_limit = 1000;
  EXPECT_EQ(run(std::move(made)).failure, Failure::kMalformed);
}

TEST_F(ChatCallTest, WhatIsNotHttpIsMalformed) {
  net::RawServer raw;
  raw.serve_one([](net::RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("220 mail.example ready, and not a web server\r\n\r\n");
  });
  net::Call made;
  made.url = "http://" + raw.address() + "/v1";
  EXPECT_EQ(run(std::move(made)).failure, Failure::kMalformed);
}

// ---- cancelling ----

// A server that streams without end, and the number of callbacks after the call was given up.
class Cancelling : public ChatCallTest {
 protected:
  void expect_silence(const std::function<void(std::unique_ptr<ChatCall>&)>& give_up) {
    std::vector<Answer> kept;
    bool is_closed = false;
    serve([&](const Answer& answer) {
      kept.push_back(answer);
      answer->on_close([&] {
        is_closed = true;
        loop_.stop();
      });
      begin_stream(*answer);
      // The later events come in the same piece as the first.
      answer->write(text_frame("one") + text_frame("two") + finish_frame());
    });
    std::unique_ptr<ChatCall> chat;
    int endings = 0;
    texts_.clear();
    chat = std::make_unique<ChatCall>(
        *client_, call(),
        ChatCall::Listener{.on_text =
                               [&](std::string_view text) {
                                 texts_.emplace_back(text);
                                 give_up(chat);
                               },
                           .on_end = [&](const ChatCall::Ended&) { ++endings; }});
    turn(loop_);
    turn_for(loop_, 1ms);
    EXPECT_TRUE(is_closed);
    EXPECT_EQ(texts_, (std::vector<std::string>{"one"}));
    EXPECT_EQ(endings, 0);
  }
};

TEST_F(Cancelling, ClosesTheConnectionAndNothingIsHeardAfterwards) {
  expect_silence([](std::unique_ptr<ChatCall>& chat) { chat->cancel(); });
}

TEST_F(Cancelling, DestroyingInALaterTurnIsAllowed) {
  expect_silence([this](std::unique_ptr<ChatCall>& chat) {
    chat->cancel();
    loop_.post([dead = std::move(chat)] {});
  });
}

TEST_F(Cancelling, BeforeAnythingCameIsSilentToo) {
  std::vector<Answer> kept;
  std::optional<ChatCall> chat;
  serve([&](const Answer& answer) {
    kept.push_back(answer);
    answer->on_close([&] { loop_.stop(); });
    chat.reset();
  });
  bool is_heard = false;
  chat.emplace(*client_, call(),
               ChatCall::Listener{.on_text = [&](std::string_view) { is_heard = true; },
                                  .on_end = [&](const ChatCall::Ended&) { is_heard = true; }});
  turn(loop_);
  EXPECT_FALSE(is_heard);
}

}  // namespace
}  // namespace hf
