// Goal: a complete answer stays one whatever follows it, and a stream without progress is no
// answer. Method: real calls over loopback to a server that plays each kind of end.
#include <functional>
#include <string>
#include <vector>

#include "chat_call_fixture.h"

namespace hf {
namespace {

TEST_F(ChatCallTest, NothingBehindTheEndMarkCounts) {
  const auto ended = run_stream(text_frame("7") + finish_frame() + usage_frame(100, 9) +
                                std::string(wire::kSseDone) + text_frame(" and more") +
                                "data: {nonsense\n\n" + usage_frame(1, 1));
  EXPECT_EQ(ended.failure, Failure::kNone) << ended.detail;
  EXPECT_EQ(text_, "7");
  EXPECT_EQ(ended.usage->prompt, Tokens(100));
}

TEST_F(ChatCallTest, TheEndMarkIsNotWaitedBehind) {
  std::vector<Answer> kept;
  const auto ended = run([&](const Answer& answer) {
    kept.push_back(answer);
    begin_stream(*answer);
    answer->write(text_frame("7") + std::string(wire::kSseDone));
  });
  EXPECT_EQ(ended.failure, Failure::kNone) << ended.detail;
}

TEST_F(ChatCallTest, TroubleBehindACompleteAnswerTakesNothingAway) {
  const std::string complete = text_frame("7") + finish_frame();
  EXPECT_EQ(run_stream(complete + "data: {nonsense\n\n").failure, Failure::kNone);
  const auto cut = run([&](const Answer& answer) {
    begin_stream(*answer);
    answer->write(complete);
    // Letting go of the answer closes the connection.
  });
  EXPECT_EQ(cut.failure, Failure::kNone);
  EXPECT_EQ(cut.detail, "");
  // Without text there is nothing to keep.
  EXPECT_EQ(run_stream(finish_frame() + "data: {nonsense\n\n").failure, Failure::kMalformed);
}

TEST_F(ChatCallTest, EventsOfOtherNamesArePassedOverExceptErrors) {
  const auto ended = run_stream("event: ping\ndata: {}\n\n" + text_frame("7") +
                                "event: status\ndata: busy\n\n" + finish_frame());
  EXPECT_EQ(ended.failure, Failure::kNone) << ended.detail;
  const auto failed =
      run_stream(text_frame("7") + "event: error\ndata: {\"message\": \"out of memory\"}\n\n");
  EXPECT_EQ(failed.failure, Failure::kServer);
  EXPECT_EQ(failed.detail, "out of memory");
}

TEST_F(ChatCallTest, SignsOfLifeAreNoAnswer) {
  Answer stream;
  // Its last turn may come when the stream is another one, or none.
  std::function<void()> keep_alive = [&] {
    if (stream && stream->write(": busy\n\n")) loop_.post([&] { keep_alive(); });
  };
  for (const bool has_begun : {false, true}) {
    serve([&](const Answer& answer) {
      stream = answer;
      begin_stream(*answer);
      if (has_begun) answer->write(text_frame("half"));
      keep_alive();
    });
    net::Call made = call();
    made.first_byte_timeout = made.gap_timeout = 30ms;
    const auto ended = run(std::move(made));
    EXPECT_EQ(ended.failure, has_begun ? Failure::kGapTimeout : Failure::kFirstTokenTimeout);
    EXPECT_TRUE(ended.detail.contains("30 ms")) << ended.detail;
    EXPECT_TRUE(ended.billable);
    stream.reset();
  }
}

TEST_F(ChatCallTest, AWholeAnswerHasTheLimitOfAnEvent) {
  serve(
      [](const Answer& answer) {
        answer->send(200, "application/json", "{" + std::string(5'000'000, ' '));
      },
      {.buffered_bytes = 8'000'000});
  const auto ended = run(call());
  EXPECT_EQ(ended.failure, Failure::kMalformed);
  EXPECT_TRUE(ended.detail.contains("4 MiB")) << ended.detail;
}

TEST_F(ChatCallTest, AStatusStandsEvenIfItsPageBreaksOff) {
  const auto ended = run([](const Answer& answer) {
    answer->begin(429, "text/plain", {{"Retry-After", "7"}});
    answer->write("slow");
  });
  EXPECT_EQ(ended.failure, Failure::kRateLimited);
  EXPECT_EQ(ended.retry_after, Duration(7s));
}

}  // namespace
}  // namespace hf
