// A runtime over loopback, a listener that keeps what it is told, and the steps of a plan.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "scripted.h"

namespace hf {

using Asked = ScriptedEndpoint::Asked;

inline std::string step_tag(std::string_view id, std::string_view role, std::string_view task,
                            std::string_view rely) {
  return "<Step ID=\"" + std::string(id) + "\" Role=\"" + std::string(role) + "\" Task=\"" +
         std::string(task) + "\" Rely=\"" + std::string(rely) +
         "\" Token=\"20\" Difficulty=\"3\"/>\n";
}

// A listener that keeps what it is told.
class Watcher : public QueryListener {
 public:
  explicit Watcher(net::EventLoop& loop) : loop_(loop) {}

  void on_gate(const GateVerdict& verdict) override { gate = verdict; }
  void on_step(const PlannedStep& step) override { steps.push_back(step.label); }
  void on_plan_end(const PlanEnd& end, std::span<const std::string>) override {
    plan_ends.push_back(end);
  }
  void on_call_start(const StartCall& call, const RunRecord& record) override {
    EXPECT_EQ(std::ranges::count(record.calls, call.call, &CallRecord::id), 1);
    ++calls;
  }
  void on_call_text(CallId, std::string_view) override {
    if (during_text) during_text();
  }
  void on_answer_text(std::string_view text) override { answer += text; }
  void on_answer_restart() override { answer += "|"; }
  void on_finish(Receipt finished) override {
    ++finishes;
    receipt = std::move(finished);
    if (stops_loop) loop_.stop();
  }

  std::function<void()> during_text;
  bool stops_loop = true;
  GateVerdict gate;
  std::vector<std::string> steps;
  std::vector<PlanEnd> plan_ends;
  int calls = 0;
  std::string answer;  // With a | where it was begun again.
  int finishes = 0;
  Receipt receipt;

 private:
  net::EventLoop& loop_;
};

class RuntimeTest : public testing::Test {
 protected:
  EndpointConfig remote(std::string name, Tier tier, const ScriptedEndpoint& server) const {
    EndpointConfig endpoint;
    endpoint.endpoint.name = name;
    endpoint.endpoint.tier = tier;
    endpoint.endpoint.is_local = tier == Tier::kEdge;
    endpoint.endpoint.max_in_flight = 16;
    if (tier == Tier::kCloud) {
      endpoint.endpoint.price = {PicoUsd(2'000'000), PicoUsd(500'000), PicoUsd(8'000'000)};
    }
    endpoint.url = server.url();
    endpoint.model = std::move(name);
    return endpoint;
  }
  void start(std::vector<EndpointConfig> endpoints, const std::string& policy = "edge",
             const RuntimeOptions& options = {}) {
    Config config;
    config.endpoints = std::move(endpoints);
    config.policy = policy;
    auto made = Runtime::create(loop_, std::move(config), options);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    runtime_ = *std::move(made);
  }
  static UserQuery query(PlanMode plan, std::string question = "How many fruits are there?") {
    UserQuery result;
    result.question = std::move(question);
    result.plan = plan;
    result.seed = 7;
    return result;
  }
  // One query with one edge endpoint to its end.
  void ask(ScriptedEndpoint& edge, UserQuery query) {
    if (!runtime_) start({remote("edge", Tier::kEdge, edge)});
    runtime_->submit(std::move(query), view_);
    turn(loop_);
    EXPECT_EQ(view_.finishes, 1);
  }

  net::EventLoop loop_;
  std::unique_ptr<Runtime> runtime_;
  Watcher view_{loop_};
};

inline const std::string kFirst = step_tag("1", "explain", "What is given?", "");
inline const std::string kSecond = step_tag("2", "analyze", "What does Ann have?", "1");
inline const std::string kThird = step_tag("3", "analyze", "What does Ben have?", "1");
inline const std::string kLast = step_tag("4", "generate", "What is the sum?", "2,3");

}  // namespace hf
