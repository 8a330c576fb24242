// Goal: nobody without a key gets in where there are keys, and a key gets what it may and no more:
// models, requests a minute, requests at once, dollars of its period.
// Method: the server over the whole runtime with a real store of keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_fixture.h"
#include "store/key_store.h"

namespace hf::serve {
namespace {

Result<void> give_a_dollar(store::KeySpec& spec) {
  spec.usd = PicoUsd(kPicoPerUsd);
  return {};
}

using testing::HasSubstr;
using testing::Not;

class AccessTest : public ServerTest {
 protected:
  AccessTest() : keys_(std::make_unique<store::KeyStore>(*store::KeyStore::open(ledger()))) {}
  ~AccessTest() override { server_.reset(); }
  [[nodiscard]] std::filesystem::path ledger() const { return folder_.file("ledger.db"); }

  std::string add(store::KeySpec spec) { return keys_->add(spec, kNow)->secret; }

  void serve_with_keys(ScriptedEndpoint& endpoint, const std::function<void(Config&)>& change = {},
                       Duration idle = 10s) {
    Config config;
    config.endpoints = {remote("edge", Tier::kEdge, endpoint),
                        remote("cloud", Tier::kCloud, endpoint)};
    config.policy = "cloud";
    if (change) change(config);
    RuntimeOptions options;
    options.ledger_path = ledger();
    options.opens_ledger = true;
    auto made = Runtime::create(loop_, config, options);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ =
        std::make_unique<Server>(loop_, *std::move(made), config,
                                 ServerOptions{.started = kNow, .idle = idle, .keys = keys_.get()});
  }

  std::shared_ptr<Got> as(const std::string& secret, std::string_view method, std::string_view path,
                          std::string body = "") {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    request.headers.emplace_back("content-type", "application/json");
    if (!secret.empty()) request.headers.emplace_back("authorization", "Bearer " + secret);
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return got;
  }
  std::shared_ptr<Got> ask(const std::string& secret, std::string_view more = "",
                           std::string_view model = "hybrid/cloud") {
    return as(secret, "POST", "/v1/chat/completions",
              R"({"model":")" + std::string(model) +
                  R"(","messages":[{"role":"user","content":"How many?"}])" + std::string(more) +
                  "}");
  }

  static constexpr std::int64_t kNow = 1'800'000'000;  // 2027-01-15.
  const TestFolder folder_;
  std::unique_ptr<store::KeyStore> keys_;
};

TEST_F(AccessTest, WithoutAnyKeyEverybodyMayAsk) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  serve_with_keys(endpoint);
  EXPECT_EQ(whole(ask(""))->status, 200);
}

TEST_F(AccessTest, OnceThereIsAKeyOnlyAKeyGetsIn) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice"});
  serve_with_keys(endpoint);
  for (const std::string& wrong : {std::string(), std::string("hf-wrong"), secret + "x"}) {
    const auto got = ask(wrong);
    EXPECT_EQ(got->status, 401);
    EXPECT_EQ(got->at("error.code"), "invalid_api_key");
    EXPECT_EQ(got->at("error.type"), "authentication_error");
    EXPECT_EQ(got->header("WWW-Authenticate"), "Bearer");
    EXPECT_THAT(got->body, Not(HasSubstr(secret)));
  }
  for (const char* path : {"/v1/models", "/v1/runs", "/v1/budgets", "/metrics", "/v1/runs/x"})
    EXPECT_EQ(as("", "GET", path)->status, 401) << path;
  for (const char* path : {"/health", "/ready", "/openapi.json"})
    EXPECT_EQ(as("", "GET", path)->status, 200) << path;
  EXPECT_EQ(whole(ask(secret))->status, 200);
  EXPECT_EQ(endpoint.asked().size(), 1U);
}

TEST_F(AccessTest, ARevokedLastKeyOpensNothing) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice"});
  ASSERT_TRUE(keys_->revoke("alice", kNow));
  serve_with_keys(endpoint);
  EXPECT_EQ(ask("")->status, 401);
  EXPECT_EQ(ask(secret)->status, 401);
}

TEST_F(AccessTest, AnExpiredKeyIsNone) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const auto add_until = [&](const char* name, std::int64_t end) {
    return keys_->add({.name = name, .expires_at = end}, kNow - 100)->secret;
  };
  const std::string past = add_until("alice", kNow - 10);
  const std::string present = add_until("bob", kNow + 1000);
  serve_with_keys(endpoint);
  EXPECT_EQ(ask(past)->status, 401);
  EXPECT_EQ(whole(ask(present))->status, 200);
}

TEST_F(AccessTest, AKeySeesAndUsesItsModelsOnly) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice", .models = {"hybrid/cloud"}});
  serve_with_keys(endpoint);
  EXPECT_EQ(whole(ask(secret))->status, 200);
  const auto got = ask(secret, "", "edge");
  EXPECT_EQ(got->status, 403);
  EXPECT_EQ(got->at("error.code"), "model_not_allowed");
  const auto models = as(secret, "GET", "/v1/models");
  EXPECT_THAT(models->body, HasSubstr("hybrid/cloud"));
  EXPECT_THAT(models->body, Not(HasSubstr("hybrid/auto")));
}

TEST_F(AccessTest, RequestsAMinuteAreCounted) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice", .requests_per_minute = 2});
  const std::string other = add({.name = "bob"});
  serve_with_keys(endpoint);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(whole(ask(secret))->status, 200);
  const auto got = ask(secret);
  EXPECT_EQ(got->status, 429);
  EXPECT_EQ(got->at("error.code"), "rate_limit_exceeded");
  EXPECT_EQ(got->header("Retry-After"), "30");
  EXPECT_EQ(whole(ask(other))->status, 200);
}

TEST_F(AccessTest, RequestsAtOnceAreCounted) {
  ScriptedEndpoint endpoint(loop_, [this](const Asked&, const Answer& answer) { hang(answer); });
  const std::string secret = add({.name = "alice", .in_flight = 1});
  serve_with_keys(endpoint);
  const auto first = ask(secret, R"(,"stream":true)");
  const auto second = ask(secret);
  EXPECT_EQ(second->status, 429);
  EXPECT_EQ(second->at("error.code"), "too_many_in_flight");
  turn_until(loop_, [&] { return !held_.empty(); });
  leave(*first);
  turn_until(loop_, [&] { return server_->running() == 0; });
  const auto third = ask(secret);
  EXPECT_EQ(third->status, 0);  // Under way.
}

TEST_F(AccessTest, DollarsOfAPeriodAreNeverOverspentAndSurviveTheServer) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  // One answer costs $0.000272, at worst much more.
  const std::string secret = add({.name = "alice", .usd = PicoUsd(kPicoPerUsd / 100)});
  serve_with_keys(endpoint);
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    const auto got = whole(ask(secret, R"(,"max_tokens":100)"));
    if (got->status != 200) {
      EXPECT_EQ(got->status, 402);
      EXPECT_EQ(got->at("error.hybridflow.scope"), "key:alice#1:2027-01");
      // To the first of February.
      EXPECT_NEAR(std::stoi(got->header("Retry-After")), 1'440'000, 60);
      break;
    }
    ++answered;
  }
  EXPECT_GT(answered, 20);
  EXPECT_LT(answered, 37);
  const auto budgets = as(secret, "GET", "/v1/budgets");
  EXPECT_EQ(budgets->at("data.0.name"), "key alice");
  EXPECT_EQ(budgets->at("data.0.scope"), "key:alice#1:2027-01");
  EXPECT_EQ(budgets->at("data.0.usd.limit"), "0.01");
  server_.reset();
  serve_with_keys(endpoint);
  EXPECT_EQ(whole(ask(secret, R"(,"max_tokens":100)"))->status, 402);
}

TEST_F(AccessTest, ABudgetCanBeSeenBeforeTheFirstRequestAndNothingIsWrittenForIt) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice", .usd = PicoUsd(kPicoPerUsd)});
  serve_with_keys(endpoint);
  const auto budgets = as(secret, "GET", "/v1/budgets");
  EXPECT_EQ(budgets->at("data.0.scope"), "key:alice#1:2027-01");
  EXPECT_EQ(budgets->at("data.0.usd.left"), "1");
  EXPECT_TRUE(server_->runtime().durable_budgets()->scopes.empty());
}

TEST_F(AccessTest, AHigherLimitCountsWithoutARestart) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice", .usd = PicoUsd(0)});
  serve_with_keys(endpoint);
  EXPECT_EQ(whole(ask(secret))->status, 402);
  auto elsewhere = *store::KeyStore::open(ledger());
  ASSERT_TRUE(elsewhere.set("alice", give_a_dollar, kNow));
  int status = 0;
  turn_until(loop_, [&] {
    if (status == 0 || status == 402) status = ask(secret)->status;
    return status != 402;
  });
  EXPECT_EQ(status, 0);  // It is under way.
}

TEST_F(AccessTest, EachKeySeesItsOwnRuns) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string alice = add({.name = "alice"});
  const std::string bob = add({.name = "bob"});
  serve_with_keys(endpoint);
  const std::string run = whole(ask(alice))->header("x-hybridflow-run");
  EXPECT_EQ(as(alice, "GET", "/v1/runs/" + run)->status, 200);
  for (const char* path : {"", "/events"})
    EXPECT_EQ(as(bob, "GET", "/v1/runs/" + run + path)->status, 404) << path;
  EXPECT_EQ(as(bob, "DELETE", "/v1/runs/" + run)->status, 404);
  EXPECT_THAT(as(alice, "GET", "/v1/runs")->body, HasSubstr(run));
  EXPECT_THAT(as(bob, "GET", "/v1/runs")->body, Not(HasSubstr(run)));
}

TEST_F(AccessTest, AKeyDoesNotSeeTheRunsOfAnEarlierOneOfItsName) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string first = add({.name = "alice"});
  serve_with_keys(endpoint);
  const std::string run = whole(ask(first))->header("x-hybridflow-run");
  ASSERT_TRUE(keys_->revoke("alice", kNow));
  const std::string second = add({.name = "alice"});
  turn_until(loop_, [&] { return as(second, "GET", "/v1/models")->status == 200; });
  EXPECT_EQ(as(second, "GET", "/v1/runs/" + run)->status, 404);
  EXPECT_THAT(as(second, "GET", "/v1/runs")->body, Not(HasSubstr(run)));
}

TEST_F(AccessTest, ASessionSpendsFromItsOwnBudgetAndFromItsKeys) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice"});
  serve_with_keys(
      endpoint, [](Config& config) { config.serve.session.usd = PicoUsd(kPicoPerUsd / 1000 * 6); });
  constexpr std::string_view kFirst = R"(,"max_tokens":50,"hybridflow":{"session":"s1"})";
  int answered = 0;
  while (answered < 100 && whole(ask(secret, kFirst))->status == 200) ++answered;
  EXPECT_GT(answered, 0);
  EXPECT_LT(answered, 100);
  EXPECT_EQ(whole(ask(secret, kFirst))->at("error.hybridflow.scope"), "session s1");
  EXPECT_EQ(whole(ask(secret, R"(,"max_tokens":50,"hybridflow":{"session":"s2"})"))->status, 200);
  EXPECT_THAT(as(secret, "GET", "/v1/budgets")->body, HasSubstr("session s2"));
}

TEST_F(AccessTest, ASessionIsNotRenewedByAChangeOfItsKey) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice"});
  serve_with_keys(
      endpoint, [](Config& config) { config.serve.session.usd = PicoUsd(kPicoPerUsd / 1000 * 6); });
  constexpr std::string_view kSession = R"(,"max_tokens":50,"hybridflow":{"session":"s1"})";
  while (whole(ask(secret, kSession))->status == 200) {
  }
  ASSERT_TRUE(keys_->set("alice", give_a_dollar, kNow));
  // Once the key has a budget the change is known.
  turn_until(loop_, [&] {
    return as(secret, "GET", "/v1/budgets")->body.contains("key:alice#1:2027-01");
  });
  EXPECT_EQ(whole(ask(secret, kSession))->at("error.hybridflow.scope"), "session s1");
}

TEST_F(AccessTest, AKeyThatIsIdleGivesBackWhatItHasLeased) {
  ScriptedEndpoint endpoint(loop_, answer_seven);
  const std::string secret = add({.name = "alice", .usd = PicoUsd(kPicoPerUsd)});
  serve_with_keys(endpoint, {}, Duration(0));
  EXPECT_EQ(whole(ask(secret, R"(,"hybridflow":{"session":"s1"})"))->status, 200);
  turn_until(loop_, [&] { return server_->runtime().durable_budgets()->leases.empty(); });
  const auto budgets = as(secret, "GET", "/v1/budgets");
  EXPECT_EQ(budgets->at("data.0.usd.spent"), "0.000272");
  EXPECT_EQ(budgets->at("data.0.usd.held"), "0");
  EXPECT_EQ(whole(ask(secret))->status, 200);
}

}  // namespace
}  // namespace hf::serve
