// Goal: a client gets what OpenAI's protocol promises, whole or streamed, and every refusal has its
// status, its code and a sentence.
// Method: the server over the whole runtime and scripted endpoints, with a responder that keeps
// what a client would have got.
#include "serve/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_fixture.h"

namespace hf::serve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ServerTest, AnswersWholeWithUsageAndTheSummaryTwice) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, [](Config& config) { config.query_budget.usd = PicoUsd(kPicoPerUsd); });
  const auto got = whole(chat("", "hybrid/cloud"));
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->type, "application/json");
  EXPECT_EQ(got->at("object"), "chat.completion");
  EXPECT_EQ(got->at("model"), "hybrid/cloud");
  EXPECT_EQ(got->at("created").substr(0, 6), "180000");
  EXPECT_EQ(got->at("choices.0.message.role"), "assistant");
  EXPECT_EQ(got->at("choices.0.message.content"), "It is 7.");
  EXPECT_EQ(got->at("choices.0.finish_reason"), "stop");
  EXPECT_EQ(got->at("usage.prompt_tokens"), "100");
  EXPECT_EQ(got->at("usage.completion_tokens"), "9");
  EXPECT_EQ(got->at("usage.total_tokens"), "109");
  const std::string run = got->at("hybridflow.run");
  EXPECT_EQ(got->at("id"), "chatcmpl-" + run);
  EXPECT_EQ(got->at("hybridflow.outcome"), "answered");
  EXPECT_EQ(got->at("hybridflow.calls.cloud"), "1");
  EXPECT_EQ(got->at("hybridflow.calls.edge"), "0");
  EXPECT_EQ(got->at("hybridflow.tokens.cloud"), "109");
  EXPECT_EQ(got->at("hybridflow.pico_usd"), "272000000");
  EXPECT_EQ(got->at("hybridflow.budget_left.usd"), "0.999728");
  EXPECT_EQ(got->at("hybridflow.budget_left.cloud_tokens"), "null");
  EXPECT_EQ(got->header("x-hybridflow-run"), run);
  EXPECT_EQ(got->header("x-hybridflow-outcome"), "answered");
  EXPECT_EQ(got->header("x-hybridflow-cloud-calls"), "1");
  EXPECT_EQ(got->header("x-hybridflow-usd"), "0.000272");
  EXPECT_EQ(got->header("x-hybridflow-left-usd"), "0.999728");
}

TEST_F(ServerTest, StreamsTextBeforeTheUpstreamHasEnded) {
  Answer upstream;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) {
    upstream = answer;
    begin_stream(*answer);
    answer->write(text_frame("It "));
  });
  serve_pair(endpoint);
  const auto got = chat(R"(,"stream":true,"stream_options":{"include_usage":true})");
  turn_until(loop_, [&] { return !got->body.empty(); });
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->type, "text/event-stream");
  EXPECT_EQ(got->events().size(), 1U);
  EXPECT_FALSE(got->header("x-hybridflow-run").empty());
  upstream->write(text_frame("is 7."));
  end_stream(*upstream);
  whole(got);
  const auto events = got->events();
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(Got::member_of(events[0], "object"), "chat.completion.chunk");
  EXPECT_EQ(Got::member_of(events[0], "choices.0.delta.role"), "assistant");
  EXPECT_EQ(Got::member_of(events[0], "choices.0.delta.content"), "It ");
  EXPECT_EQ(Got::member_of(events[1], "choices.0.delta.content"), "is 7.");
  EXPECT_EQ(Got::member_of(events[1], "choices.0.delta.role"), "");
  EXPECT_EQ(Got::member_of(events[2], "choices.0.finish_reason"), "stop");
  EXPECT_EQ(Got::member_of(events[2], "hybridflow"), "");
  EXPECT_EQ(Got::member_of(events[3], "choices"), "[]");
  EXPECT_EQ(Got::member_of(events[3], "usage.total_tokens"), "109");
  EXPECT_EQ(Got::member_of(events[3], "hybridflow.outcome"), "answered");
  EXPECT_EQ(events[4], "[DONE]");
}

TEST_F(ServerTest, StreamWithoutUsageHasTheSummaryInItsLastChunk) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  const auto events = whole(chat(R"(,"stream":true)"))->events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(Got::member_of(events[1], "usage"), "");
  EXPECT_EQ(Got::member_of(events[1], "hybridflow.calls.edge"), "1");
}

TEST_F(ServerTest, OnlyThePlansAnswerIsStreamed) {
  ScriptedEndpoint endpoint(loop_, [](const Asked& asked, const Answer& answer) {
    if (asked.is_plan()) return stream(*answer, "<Plan>" + kFirst + kLast + "</Plan>");
    stream(*answer, asked.prompt().contains("Task: What is the sum?") ? "Sum." : "Step.");
  });
  serve_pair(endpoint);
  const auto got = whole(chat(R"(,"stream":true,"hybridflow":{"plan":"always"})"));
  EXPECT_EQ(Got::member_of(got->events().at(0), "choices.0.delta.content"), "Sum.");
  EXPECT_EQ(got->body.find("Step."), std::string::npos);
  EXPECT_EQ(Got::member_of(got->events().at(1), "hybridflow.planned"), "true");
  EXPECT_EQ(Got::member_of(got->events().at(1), "hybridflow.calls.edge"), "3");
}

TEST_F(ServerTest, AnAnswerThatBreaksOffEndsTheStreamWithAnError) {
  int calls = 0;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) {
    begin_stream(*answer);
    if (++calls == 1) {
      answer->write(text_frame("Half an ans"));
      return answer->end();
    }
    answer->write(text_frame("It is 7."));
    end_stream(*answer);
  });
  serve_pair(endpoint);
  const auto got = whole(chat(R"(,"stream":true)"));
  const auto events = got->events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(Got::member_of(events[0], "choices.0.delta.content"), "Half an ans");
  EXPECT_EQ(Got::member_of(events[1], "error.code"), "answer_restarted");
  // The same without a stream is mended without a word.
  calls = 0;
  EXPECT_EQ(whole(chat())->at("choices.0.message.content"), "It is 7.");
}

TEST_F(ServerTest, AnAnswerThatIsCutByItsCapSaysSo) {
  ScriptedEndpoint endpoint(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_EQ(asked.chat.max_tokens, Tokens(5));
    begin_stream(*answer);
    answer->write(text_frame("Half an") + finish_frame("length") + usage_frame(100, 5) +
                  std::string(wire::kSseDone));
    answer->end();
  });
  serve_pair(endpoint);
  const auto got = whole(chat(R"(,"max_tokens":5)"));
  EXPECT_EQ(got->at("choices.0.finish_reason"), "length");
  EXPECT_EQ(got->at("hybridflow.outcome"), "degraded");
  EXPECT_EQ(got->header("x-hybridflow-degraded"), "1");
}

TEST_F(ServerTest, NobodyGetsMoreThanTheConfigurationAllowsAndIsTold) {
  ScriptedEndpoint endpoint(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_EQ(asked.chat.max_tokens, Tokens(512));
    stream(*answer, "It is 7.");
  });
  serve_pair(endpoint, [](Config& config) {
    config.query_budget = {.usd = PicoUsd(kPicoPerUsd / 10),
                           .cloud_tokens = Tokens(9000),
                           .deadline = std::chrono::seconds(30)};
  });
  const auto got = whole(chat(R"(,"max_tokens":9999,"hybridflow":)"
                              R"({"budget":{"usd":5,"cloud_tokens":9001},"deadline_ms":31000})"));
  EXPECT_EQ(got->at("hybridflow.lowered"),
            R"(["hybridflow.budget.usd","hybridflow.budget.cloud_tokens",)"
            R"("hybridflow.deadline_ms","max_tokens"])");
  EXPECT_EQ(got->at("hybridflow.budget_left.usd"), "0.1");
  EXPECT_EQ(got->at("hybridflow.budget_left.cloud_tokens"), "9000");
  const auto less = whole(chat(R"(,"hybridflow":{"budget":{"usd":0.05}})"));
  EXPECT_EQ(less->at("hybridflow.lowered"), "[]");
  EXPECT_EQ(less->at("hybridflow.budget_left.usd"), "0.05");
}

TEST_F(ServerTest, ModelsAreTheModesAndTheEndpoints) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  const auto got = send("GET", "/v1/models");
  EXPECT_EQ(got->at("object"), "list");
  for (const char* name : {"hybrid/auto", "hybrid/edge", "hybrid/cloud", "edge", "cloud"})
    EXPECT_THAT(got->body, HasSubstr(R"("id":")" + std::string(name) + R"(",)"));
  serve({remote("local", Tier::kEdge, endpoint)});
  EXPECT_EQ(send("GET", "/v1/models")->body.find("hybrid/cloud"), std::string::npos);
}

TEST_F(ServerTest, EachModelGoesWhereItsNameSays) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, [](Config& config) { config.policy = "cloud"; });
  const auto tier_of = [&](std::string_view model) {
    return whole(chat("", model))->header("x-hybridflow-edge-calls") == "1" ? "edge" : "cloud";
  };
  EXPECT_STREQ(tier_of("hybrid/auto"), "cloud");
  EXPECT_STREQ(tier_of("hybrid/edge"), "edge");
  EXPECT_STREQ(tier_of("hybrid/cloud"), "cloud");
  EXPECT_STREQ(tier_of("edge"), "edge");
  EXPECT_STREQ(tier_of("cloud"), "cloud");
}

TEST_F(ServerTest, TheReceiptNamesThePolicyThatWasAskedFor) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, [](Config& config) { config.policy = "hybridflow"; });
  const auto policy_of = [&](std::string_view more) {
    const std::string run = whole(chat(more))->header("x-hybridflow-run");
    return send("GET", "/v1/runs/" + run)->at("policy");
  };
  EXPECT_EQ(policy_of(""), "hybridflow");
  EXPECT_EQ(policy_of(R"(,"hybridflow":{"policy":"cloud"})"), "cloud");
}

TEST_F(ServerTest, APrivateRequestStaysLocalOrIsRefused) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, [](Config& config) { config.policy = "cloud"; });
  constexpr std::string_view kLocalOnly = R"(,"hybridflow":{"privacy":"local"})";
  EXPECT_EQ(whole(chat(kLocalOnly))->at("hybridflow.calls.cloud"), "0");
  const auto got = chat(kLocalOnly, "hybrid/cloud");
  EXPECT_EQ(got->status, 400);
  EXPECT_EQ(got->at("error.code"), "privacy_local_impossible");
  EXPECT_EQ(endpoint.asked().size(), 1U);
}

TEST_F(ServerTest, FinishedRunsHaveReceiptsUntilNewerOnesPushThemOut) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, {}, {.receipts_max = 2});
  std::vector<std::string> runs;
  for (int i = 0; i < 3; ++i) runs.push_back(whole(chat())->at("hybridflow.run"));
  const auto got = send("GET", "/v1/runs/" + runs[2]);
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->at("run"), runs[2]);
  EXPECT_EQ(got->at("answer"), "It is 7.");
  EXPECT_EQ(send("GET", "/v1/runs/" + runs[1])->status, 200);
  const auto old = send("GET", "/v1/runs/" + runs[0]);
  EXPECT_EQ(old->status, 404);
  EXPECT_EQ(old->at("error.code"), "run_not_found");
}

TEST_F(ServerTest, ARunningRunCanBeSeenAndCancelled) {
  ScriptedEndpoint endpoint(loop_,
                            [&](const Asked&, const Answer& answer) { hang(answer, "Half"); });
  serve_pair(endpoint);
  const auto got = chat(R"(,"stream":true)");
  turn_until(loop_, [&] { return !got->body.empty(); });
  const std::string run = got->header("x-hybridflow-run");
  EXPECT_EQ(send("GET", "/v1/runs/" + run)->at("outcome"), "running");
  EXPECT_EQ(send("DELETE", "/v1/runs/" + run)->status, 202);
  whole(got);
  EXPECT_EQ(Got::member_of(got->events().back(), "error.code"), "run_cancelled");
  EXPECT_EQ(send("GET", "/v1/runs/" + run)->at("outcome"), "cancelled");
  const auto again = send("DELETE", "/v1/runs/" + run);
  EXPECT_EQ(again->status, 409);
  EXPECT_EQ(again->at("error.code"), "run_is_over");
  EXPECT_EQ(send("DELETE", "/v1/runs/nothing")->status, 404);
}

TEST_F(ServerTest, AClientThatLeavesCancelsItsRunUpstream) {
  bool is_upstream_closed = false;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) {
    answer->on_close([&] { is_upstream_closed = true; });
    hang(answer, "Half");
  });
  serve_pair(endpoint);
  for (const char* more : {R"(,"stream":true)", ""}) {
    is_upstream_closed = false;
    const auto asked = endpoint.asked().size();
    const auto got = chat(more);
    turn_until(loop_, [&] { return endpoint.asked().size() > asked; });
    leave(*got);
    turn_until(loop_, [&] { return is_upstream_closed && server_->running() == 0; });
    EXPECT_FALSE(got->is_over);
  }
}

}  // namespace
}  // namespace hf::serve
