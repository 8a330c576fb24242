// Goal: everything that cannot be answered gets its status, its stable code and a sentence, and
// costs nothing that it need not.
// Method: the server over the whole runtime and scripted endpoints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_fixture.h"

namespace hf::serve {
namespace {

using testing::HasSubstr;

class ErrorsTest : public ServerTest {
 protected:
  void expect(const Got& got, int status, std::string_view code, std::string_view type) {
    EXPECT_EQ(got.status, status) << got.body;
    EXPECT_EQ(got.at("error.code"), code);
    EXPECT_EQ(got.at("error.type"), type);
    EXPECT_TRUE(got.at("error.message").ends_with('.')) << got.body;
    EXPECT_TRUE(got.is_over);
  }
};

TEST_F(ErrorsTest, OfPathsAndMethods) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  for (const char* path : {"/", "/v1", "/v1/runs/", "/v1/runs/a/b", "/v1/runs/a/events/",
                           "/v1/chat/completions/", "/v1/x"})
    expect(*send("GET", path), 404, "not_found", "not_found_error");
  const auto get = send("GET", "/v1/chat/completions");
  expect(*get, 405, "method_not_allowed", "invalid_request_error");
  EXPECT_EQ(get->header("Allow"), "POST");
  EXPECT_EQ(send("POST", "/v1/runs/x")->header("Allow"), "GET, DELETE");
  EXPECT_EQ(send("HEAD", "/health")->status, 200);
}

TEST_F(ErrorsTest, OfHostsThatAreNotThisMachine) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, {}, {.is_for_this_machine = true});
  const auto ask = [&](std::string host) {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = "GET";
    request.path = "/health";
    if (!host.empty()) request.headers.emplace_back("host", std::move(host));
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return got;
  };
  for (const char* host : {"", "localhost", "localhost:80", "127.0.0.1:8080", "[::1]", "[::1]:80"})
    EXPECT_EQ(ask(host)->status, 200) << host;
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80",
                           "[::2]:80", "0.0.0.0", "["})
    expect(*ask(host), 403, "host_not_allowed", "permission_error");
}

TEST_F(ErrorsTest, OfMediaTypes) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "application/jso"})
    expect(*send("POST", "/v1/chat/completions", "{}", type), 415, "unsupported_media_type",
           "invalid_request_error");
  expect(*send("POST", "/v1/chat/completions", "{}", "Application/JSON ; charset=utf-8"), 400,
         "invalid_value", "invalid_request_error");
  EXPECT_TRUE(endpoint.asked().empty());
}

TEST_F(ErrorsTest, OfHeadersThatChangeTheMeaning) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  const auto ask = [&](net::Headers headers) {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.body = R"({"model":"edge","messages":[{"role":"user","content":"How many?"}]})";
    request.headers = std::move(headers);
    request.headers.emplace_back("content-type", "application/json");
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return got;
  };
  expect(*ask({{"content-encoding", "gzip"}}), 415, "unsupported_media_type",
         "invalid_request_error");
  for (const net::Headers& headers :
       {net::Headers{{"idempotency-key", ""}}, net::Headers{{"idempotency-key", "a b"}},
        net::Headers{{"idempotency-key", "a"}, {"idempotency-key", "a"}}}) {
    const auto got = ask(headers);
    expect(*got, 400, "invalid_value", "invalid_request_error");
    EXPECT_EQ(got->at("error.param"), "Idempotency-Key");
  }
  EXPECT_TRUE(endpoint.asked().empty());
  EXPECT_EQ(whole(ask({{"content-encoding", "identity"}}))->status, 200);
}

TEST_F(ErrorsTest, OfAPlanForWhatIsPassedOn) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  const auto got = chat(R"(,"hybridflow":{"plan":"always"})", "cloud");
  expect(*got, 400, "invalid_value", "invalid_request_error");
  EXPECT_EQ(got->at("error.param"), "hybridflow.plan");
}

TEST_F(ErrorsTest, OfRequestsNameTheField) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  const auto got = chat(R"(,"temperature":"hot")");
  expect(*got, 400, "invalid_value", "invalid_request_error");
  EXPECT_EQ(got->at("error.param"), "temperature");
  expect(*send("POST", "/v1/chat/completions", "{"), 400, "invalid_json", "invalid_request_error");
  const auto unknown = chat("", "gpt-9");
  expect(*unknown, 404, "model_not_found", "not_found_error");
  EXPECT_EQ(unknown->at("error.param"), "model");
  EXPECT_TRUE(endpoint.asked().empty());
}

TEST_F(ErrorsTest, OfBudgetsSayWhatIsMissing) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint);
  for (const char* stream : {"", R"(,"stream":true)"}) {
    const auto got = whole(
        chat(R"(,"hybridflow":{"budget":{"usd":0.0001}})" + std::string(stream), "hybrid/cloud"));
    expect(*got, 402, "budget_exceeded", "insufficient_quota");
    EXPECT_THAT(
        got->at("error.message"),
        HasSubstr("the query budget allows $0.0001, of which $0 is spent and $0 held, but "));
    EXPECT_EQ(got->header("x-hybridflow-outcome"), "refused");
  }
  EXPECT_TRUE(endpoint.asked().empty());
}

TEST_F(ErrorsTest, OfTheProcessBudgetToo) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_pair(endpoint, [](Config& config) { config.process_budget.cloud_tokens = Tokens(2000); });
  EXPECT_EQ(whole(chat("", "hybrid/cloud"))->status, 200);
  int answered = 1;
  while (answered < 100 && whole(chat("", "hybrid/cloud"))->status == 200) ++answered;
  // 109 tokens each; at worst one takes 1,280 bytes and what is asked for.
  EXPECT_GT(answered, 1);
  EXPECT_LT(answered, 10);
  const auto got = whole(chat("", "hybrid/cloud"));
  expect(*got, 402, "budget_exceeded", "insufficient_quota");
  EXPECT_THAT(got->at("error.message"), HasSubstr("the process budget allows 2000 cloud tokens"));
}

TEST_F(ErrorsTest, OfDeadlines) {
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) { hang(answer); });
  serve_pair(endpoint);
  expect(*whole(chat(R"(,"hybridflow":{"deadline_ms":50})")), 504, "deadline_exceeded",
         "server_error");
}

TEST_F(ErrorsTest, OfEndpointsThatFail) {
  ScriptedEndpoint endpoint(loop_, [](const Asked&, const Answer& answer) {
    answer->send(401, "application/json", R"({"error":{"message":"the key is wrong"}})");
  });
  serve_pair(endpoint);
  const auto got = whole(chat());
  expect(*got, 502, "upstream_failed", "server_error");
  EXPECT_THAT(got->at("error.message"), HasSubstr("it refused the key"));
  // Now both are left alone for a while.
  const auto rested = whole(chat());
  expect(*rested, 503, "no_endpoint", "server_error");
  EXPECT_EQ(rested->header("Retry-After"), "1");
  // Streamed: the status still can be told, because nothing has gone out.
  serve_pair(endpoint);
  expect(*whole(chat(R"(,"stream":true)")), 502, "upstream_failed", "server_error");
}

TEST_F(ErrorsTest, OfAFullServerSayWhenToComeAgain) {
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) { hang(answer); });
  serve_pair(endpoint, [](Config& config) { config.serve.runs = 2; });
  const auto first = chat();
  const auto second = chat();
  const auto third = chat();
  expect(*third, 429, "too_many_runs", "rate_limit_error");
  EXPECT_EQ(third->header("Retry-After"), "1");
  server_->cancel_all();
  whole(first);
  expect(*first, 503, "run_cancelled", "server_error");
  EXPECT_EQ(second->status, 503);
  EXPECT_EQ(server_->running(), 0U);
}

TEST_F(ErrorsTest, OfAServerThatDrains) {
  Answer upstream;
  ScriptedEndpoint endpoint(loop_, [&](const Asked&, const Answer& answer) { upstream = answer; });
  serve_pair(endpoint);
  EXPECT_EQ(send("GET", "/ready")->status, 200);
  const auto running = chat();
  turn_until(loop_, [&] { return upstream != nullptr; });
  bool is_idle = false;
  server_->drain([&] { is_idle = true; });
  expect(*chat(), 503, "shutting_down", "server_error");
  EXPECT_EQ(send("GET", "/ready")->status, 503);
  EXPECT_EQ(send("GET", "/health")->status, 200);
  EXPECT_FALSE(is_idle);
  stream(*upstream, "It is 7.");
  whole(running);
  EXPECT_EQ(running->status, 200);
  turn_until(loop_, [&] { return is_idle; });
}

}  // namespace
}  // namespace hf::serve
