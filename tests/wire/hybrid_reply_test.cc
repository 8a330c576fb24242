// Goal: what is said of a run agrees with its receipt, in the object, the headers and the errors.
// Method: receipts by hand.
#include "wire/hybrid_reply.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hf::wire {
namespace {

CallRecord call(std::uint32_t endpoint, CallStatus status, std::int64_t tokens) {
  CallRecord record;
  record.subtask = SubtaskId{0};
  record.endpoint = EndpointId{endpoint};
  record.status = status;
  record.usage = {.prompt = Tokens(tokens), .cached = Tokens(1), .completion = Tokens(2)};
  record.usd = PicoUsd(endpoint * 1'500'000);
  return record;
}

Receipt receipt() {
  Receipt receipt;
  receipt.run = "RUN";
  receipt.plan_source = "none";
  receipt.endpoints = {{.name = "edge", .tier = Tier::kEdge, .price = {}},
                       {.name = "cloud", .tier = Tier::kCloud, .price = {}}};
  receipt.record.outcome = Outcome::kDegraded;
  receipt.record.degraded = {"a \"reason\""};
  receipt.record.sink = SubtaskId{0};
  receipt.record.calls = {call(0, CallStatus::kFailed, 10), call(1, CallStatus::kDone, 20)};
  receipt.record.budget_state.usd_limit = PicoUsd(1'000'000);
  receipt.record.budget_state.spent.usd = PicoUsd(1'500'000);
  return receipt;
}

TEST(HybridReply, SummaryIsExact) {
  EXPECT_EQ(write_run_summary(receipt(), {"max_tokens"}),
            R"({"run":"RUN","outcome":"degraded","planned":false,"calls":{"edge":1,"cloud":1},)"
            R"("tokens":{"edge":12,"cloud":22},"usd":1.5e-06,"pico_usd":1500000,)"
            R"("budget_left":{"usd":0,"cloud_tokens":null},"degraded":["a \"reason\""],)"
            R"("lowered":["max_tokens"]})");
}

TEST(HybridReply, HeadersSayTheSame) {
  std::vector<std::pair<std::string, std::string>> headers;
  add_summary_headers(receipt(), headers);
  const auto value = [&](std::string_view name) {
    const auto found = std::ranges::find(
        headers, name, [](const auto& each) { return std::string_view(each.first); });
    return found == headers.end() ? std::string("absent") : found->second;
  };
  EXPECT_EQ(value("x-hybridflow-run"), "RUN");
  EXPECT_EQ(value("x-hybridflow-outcome"), "degraded");
  EXPECT_EQ(value("x-hybridflow-edge-tokens"), "12");
  EXPECT_EQ(value("x-hybridflow-cloud-tokens"), "22");
  EXPECT_EQ(value("x-hybridflow-usd"), "0.0000015");
  EXPECT_EQ(value("x-hybridflow-degraded"), "1");
  EXPECT_EQ(value("x-hybridflow-left-usd"), "0");
  EXPECT_EQ(value("x-hybridflow-left-cloud-tokens"), "absent");
}

TEST(HybridReply, UsageIsThatOfAllCalls) {
  const Usage usage = usage_of(receipt());
  EXPECT_EQ(usage.prompt, Tokens(30));
  EXPECT_EQ(usage.cached, Tokens(2));
  EXPECT_EQ(usage.completion, Tokens(4));
}

TEST(HybridReply, AnAnswerIsFinishedUnlessItWasCut) {
  Receipt run = receipt();
  EXPECT_EQ(finish_reason_of(run), "stop");
  run.record.calls.back().cut_by_length = true;
  EXPECT_EQ(finish_reason_of(run), "length");
  run.record.calls.back() = call(1, CallStatus::kCancelled, 20);  // By the deadline.
  EXPECT_EQ(finish_reason_of(run), "length");
}

TEST(HybridReply, ErrorsNameTheirFieldIfTheyHaveOne) {
  EXPECT_EQ(write_server_error({.message = "No.", .type = "t", .param = "n", .code = "c"}),
            R"({"error":{"message":"No.","type":"t","param":"n","code":"c"}})");
  EXPECT_EQ(write_server_error({.message = "No.", .type = "t", .param = "", .code = "c"}),
            R"({"error":{"message":"No.","type":"t","param":null,"code":"c"}})");
}

TEST(HybridReply, SummaryIsTheLastMemberOfAnAnswer) {
  EXPECT_EQ(with_summary(R"({"a":1})", "{}"), R"({"a":1,"hybridflow":{}})");
}

}  // namespace
}  // namespace hf::wire
