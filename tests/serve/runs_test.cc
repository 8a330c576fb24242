// Goal: runs can be listed, followed, judged and repeated, while they run and after the server.
// Method: the server over the whole runtime, with a real history file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_fixture.h"

namespace hf::serve {
namespace {

using testing::HasSubstr;
using testing::Not;

class RunsTest : public ServerTest {
 protected:
  ~RunsTest() override {
    server_.reset();
    keeper_.reset();
  }
  void serve_kept(ScriptedEndpoint& endpoint) {
    server_.reset();
    keeper_ = std::make_unique<RunKeeper>(loop_, *store::RunStore::open(folder_.file("history.db")),
                                          HistoryConfig{}, "");
    serve_pair(endpoint, {}, {.started = 1'800'000'000, .keeper = keeper_.get()});
  }
  std::shared_ptr<Got> over(std::shared_ptr<Got> got) {
    turn_until(loop_, [&] { return got->is_over; });
    return got;
  }
  std::shared_ptr<Got> get(std::string_view path, std::string_view query = "") {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = "GET";
    request.path = path;
    request.query = query;
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return over(got);
  }
  std::shared_ptr<Got> repeat(std::string_view key, std::string_view question = "How many?",
                              std::string_view more = "") {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.headers = {{"content-type", "application/json"}, {"idempotency-key", std::string(key)}};
    request.body = R"({"model":"hybrid/edge","messages":[{"role":"user","content":")" +
                   std::string(question) + R"("}])" + std::string(more) + "}";
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return got;
  }

  const TestFolder folder_;
  std::unique_ptr<RunKeeper> keeper_;
};

TEST_F(RunsTest, AreListedNewestFirstAndOutliveTheServer) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  std::vector<std::string> runs;
  for (int i = 0; i < 3; ++i) {
    runs.push_back(whole(chat())->header("x-hybridflow-run"));
    turn_for(loop_, 2ms);  // Ids of one millisecond have no order.
  }
  const auto first = get("/v1/runs", "limit=2");
  EXPECT_EQ(first->at("data.0.id"), runs[2]);
  EXPECT_EQ(first->at("data.0.model"), "hybrid/auto");
  EXPECT_EQ(first->at("has_more"), "true");
  EXPECT_THAT(first->body, Not(HasSubstr(runs[0])));
  EXPECT_EQ(get("/v1/runs", "limit=2&before=" + runs[1])->at("data.0.id"), runs[0]);
  serve_kept(endpoint);
  const auto later = get("/v1/runs");
  for (const std::string& run : runs) EXPECT_THAT(later->body, HasSubstr(run));
  EXPECT_EQ(get("/v1/runs/" + runs[0])->at("outcome"), "answered");
  EXPECT_EQ(get("/v1/runs/" + runs[0].substr(0, 25))->status, 404);
}

TEST_F(RunsTest, OddPagesAreRefused) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  for (const char* query : {"limit=0", "limit=101", "limit=x", "limit=1x", "limit=-1"}) {
    const auto got = get("/v1/runs", query);
    EXPECT_EQ(got->status, 400) << query;
    EXPECT_EQ(got->at("error.param"), "limit");
  }
}

TEST_F(RunsTest, CanBeFollowedFromTheMiddleAndAfterTheEnd) {
  Answer upstream;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) {
    upstream = answer;
    begin_stream(*answer);
    answer->write(text_frame("7"));
  });
  serve_kept(endpoint);
  const auto got = chat(R"(,"stream":true)", "hybrid/edge");
  turn_until(loop_, [&] { return !got->body.empty(); });
  const std::string run = got->header("x-hybridflow-run");
  const auto feed = send("GET", "/v1/runs/" + run + "/events");
  EXPECT_EQ(feed->type, "text/event-stream");
  EXPECT_THAT(feed->body, HasSubstr(R"("type":"gate")"));
  EXPECT_THAT(feed->body, HasSubstr(R"("type":"call",)"));
  EXPECT_THAT(feed->body, Not(HasSubstr(R"("type":"end")")));
  end_stream(*upstream);
  whole(got);
  EXPECT_TRUE(feed->is_over);
  EXPECT_THAT(feed->body, HasSubstr(R"("type":"call_end")"));
  EXPECT_THAT(feed->body, HasSubstr(R"("type":"end")"));
  EXPECT_TRUE(feed->body.starts_with("event: hybridflow.run\ndata: {"));
  EXPECT_THAT(get("/v1/runs/" + run + "/events")->body, HasSubstr(R"("type":"end")"));
  EXPECT_EQ(get("/v1/runs/none/events")->status, 404);
}

TEST_F(RunsTest, ShowTheirProgressInCommentsOfTheStream) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  const auto got = whole(chat(R"(,"stream":true,"hybridflow":{"progress":true})", "hybrid/edge"));
  EXPECT_TRUE(got->body.starts_with(": hybridflow {")) << got->body;
  EXPECT_THAT(got->body, HasSubstr("data: [DONE]"));
}

TEST_F(RunsTest, TakeFeedbackOnTheirAnswer) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  const std::string run = whole(chat())->header("x-hybridflow-run");
  const std::string path = "/v1/runs/" + run + "/feedback";
  const auto noted = over(send("POST", path, R"({"correct":1})"));
  EXPECT_EQ(noted->status, 200) << noted->body;
  EXPECT_THAT(noted->at("noted"), HasSubstr("noted for the answer"));
  for (const char* body : {"", "[]", "{}", R"({"correct":2})", R"({"correct":"1"})",
                           R"({"correct":1,"x":1})", R"({"correct":1,"subtask":7})"}) {
    EXPECT_EQ(over(send("POST", path, body))->status, 400) << body;
  }
  EXPECT_EQ(over(send("POST", path, R"({"correct":1,"subtask":"99"})"))->status, 409);
  EXPECT_EQ(over(send("POST", "/v1/runs/none/feedback", R"({"correct":1})"))->status, 404);
}

TEST_F(RunsTest, ARepeatedRequestGetsTheSameRun) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  const auto first = whole(repeat("k1"));
  const auto again = repeat("k1");
  EXPECT_TRUE(again->is_over);
  EXPECT_EQ(again->body, first->body);
  EXPECT_EQ(again->header("x-hybridflow-run"), first->header("x-hybridflow-run"));
  EXPECT_EQ(endpoint.asked().size(), 1U);
  EXPECT_EQ(repeat("k1", "How few?")->at("error.code"), "idempotency_key_reused");
  whole(repeat("k2"));
  EXPECT_EQ(endpoint.asked().size(), 2U);
}

TEST_F(RunsTest, ARepeatedRequestFollowsTheOneThatRuns) {
  Answer upstream;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) {
    upstream = answer;
    begin_stream(*answer);
    answer->write(text_frame("7"));
  });
  serve_kept(endpoint);
  const auto first = repeat("k1", "How many?", R"(,"stream":true)");
  turn_until(loop_, [&] { return !first->body.empty(); });
  leave(*first);  // The run goes on.
  const auto again = repeat("k1", "How many?", R"(,"stream":true)");
  EXPECT_FALSE(again->is_over);
  end_stream(*upstream);
  over(again);
  EXPECT_THAT(again->body, HasSubstr("data: [DONE]"));
  EXPECT_EQ(endpoint.asked().size(), 1U);
}

TEST_F(RunsTest, AFailureIsNotRepeated) {
  bool works = false;
  ScriptedEndpoint endpoint(loop_, [&](const Asked& asked, const Answer& answer) {
    if (works) return answer_seven(asked, answer);
    answer->send(400, "application/json", R"({"error":{"message":"no"}})");
  });
  serve_kept(endpoint);
  EXPECT_EQ(whole(repeat("k1"))->status, 502);
  works = true;
  EXPECT_EQ(whole(repeat("k1"))->status, 200);
}

TEST_F(RunsTest, AStreamThatBrokeOffIsNotRepeated) {
  bool works = false;
  ScriptedEndpoint endpoint(loop_, [&](const Asked& asked, const Answer& answer) {
    if (works) return answer_seven(asked, answer);
    begin_stream(*answer);
    answer->write(text_frame("It"));
    works = true;
    answer->end();
  });
  serve_kept(endpoint);
  const auto broken = over(repeat("k1", "How many?", R"(,"stream":true)"));
  EXPECT_THAT(broken->body, HasSubstr("answer_restarted"));
  const auto again = over(repeat("k1", "How many?", R"(,"stream":true)"));
  EXPECT_THAT(again->body, HasSubstr("[DONE]"));
}

TEST_F(RunsTest, AreCounted) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_kept(endpoint);
  whole(chat("", "hybrid/edge"));
  chat("", "none");
  const std::string text = send("GET", "/metrics")->body;
  EXPECT_THAT(text,
              HasSubstr("hybridflow_runs_total{model=\"hybrid/edge\",outcome=\"answered\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hybridflow_refusals_total{code=\"model_not_found\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hybridflow_calls_total{endpoint=\"edge\",status=\"done\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("hybridflow_run_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("hybridflow_runs_in_flight 0\n"));
}

TEST_F(RunsTest, GoOnWithTheRuntimeTheyBeganWith) {
  ScriptedEndpoint old_endpoint(loop_,
                                [this](const Asked&, const Answer& answer) { hang(answer, "7"); });
  ScriptedEndpoint new_endpoint(loop_, answer_seven);
  serve_kept(old_endpoint);
  const auto running = chat(R"(,"stream":true)", "hybrid/edge");
  turn_until(loop_, [&] { return !running->body.empty(); });
  Config config;
  config.endpoints = {remote("edge", Tier::kEdge, new_endpoint)};
  config.policy = "edge";
  server_->use(*Runtime::create(loop_, config, {}), config);
  const auto later = chat("", "hybrid/edge");
  turn_until(loop_, [&] { return later->is_over; });
  EXPECT_EQ(later->status, 200);
  EXPECT_EQ(new_endpoint.asked().size(), 1U);
  EXPECT_EQ(send("GET", "/v1/models")->body.find("hybrid/cloud"), std::string::npos);
  end_stream(*held_.front());
  turn_until(loop_, [&] { return running->is_over; });
  EXPECT_THAT(running->body, HasSubstr("[DONE]"));
}

}  // namespace
}  // namespace hf::serve
