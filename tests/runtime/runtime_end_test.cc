// Goal: giving up closes every connection and is told once or, without a runtime, not at all; an
// engine that cannot start costs its own calls only.
// Method: the whole runtime over loopback; a shell script plays the engine's program.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "runtime_fixture.h"

namespace hf {
namespace {

TEST_F(RuntimeTest, CancellingClosesEveryConnection) {
  std::vector<Answer> kept;
  int closed = 0;
  int calls = 0;
  QueryId id{};
  const auto watch = [&](const Answer& answer) {
    kept.push_back(answer);
    answer->on_close([&] {
      if (++closed == 3) loop_.stop();
    });
  };
  ScriptedEndpoint edge(loop_, [&](const Asked& asked, const Answer& answer) {
    watch(answer);
    begin_stream(*answer);
    // The planner and two steps without inputs run when the query is given up.
    if (asked.is_plan()) {
      answer->write(text_frame("<Plan>" + kFirst + step_tag("2", "analyze", "What else?", "")));
    } else if (calls == 2) {
      view_.during_text = [&] { runtime_->cancel(id); };
      answer->write(text_frame("some"));
    }
    ++calls;
  });
  view_.stops_loop = false;
  start({remote("edge", Tier::kEdge, edge)});
  id = runtime_->submit(query(PlanMode::kAlways), view_);
  turn(loop_);
  EXPECT_EQ(closed, 3);
  EXPECT_EQ(view_.finishes, 1);
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kCancelled);
  for (const CallRecord& call : view_.receipt.record.calls) {
    EXPECT_EQ(call.status, CallStatus::kCancelled);
  }
  runtime_->cancel(id);  // Of what is over: nothing.
  turn_for(loop_, 5ms);
  EXPECT_EQ(view_.finishes, 1);
}

TEST_F(RuntimeTest, DestroyingItClosesTheConnectionsAndTellsNobody) {
  std::vector<Answer> kept;
  ScriptedEndpoint edge(loop_, [&](const Asked&, const Answer& answer) {
    kept.push_back(answer);
    answer->on_close([&] { loop_.stop(); });
    runtime_.reset();
  });
  start({remote("edge", Tier::kEdge, edge)});
  runtime_->submit(query(PlanMode::kNever), view_);
  turn(loop_);
  EXPECT_EQ(view_.finishes, 0);
}

TEST_F(RuntimeTest, DestroyingItRightAfterCancellingIsSafe) {
  ScriptedEndpoint edge(loop_, [&](const Asked&, const Answer& answer) { begin_stream(*answer); });
  start({remote("edge", Tier::kEdge, edge)});
  const QueryId id = runtime_->submit(query(PlanMode::kNever), view_);
  runtime_->cancel(id);
  runtime_.reset();
  turn_for(loop_, 10ms);
  EXPECT_EQ(view_.finishes, 0);
}

TEST_F(RuntimeTest, TheHardDeadlineEndsAQueryThatNobodyAnswers) {
  std::vector<Answer> kept;
  ScriptedEndpoint edge(loop_, [&](const Asked&, const Answer& answer) { kept.push_back(answer); });
  UserQuery asked = query(PlanMode::kNever);
  asked.budget.deadline = 50ms;
  ask(edge, std::move(asked));
  EXPECT_EQ(view_.receipt.record.outcome, Outcome::kDeadline);
  EXPECT_EQ(view_.receipt.answer, "");
}

TEST_F(RuntimeTest, AnUnknownPolicyIsRefused) {
  Config config;
  config.endpoints.resize(1);
  config.policy = "best";
  const auto made = Runtime::create(loop_, std::move(config), {});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalidInput);
}

#ifdef HF_ENGINE

// An endpoint with an engine, played by a shell script.
class RuntimeWithEngine : public RuntimeTest {
 protected:
  RuntimeWithEngine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "runtime-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::ofstream(folder_ / "model.gguf") << "GGUF\x03" + std::string(19, '\0');
    options_ = {.program = (folder_ / "program").string(),
                .model_directory = folder_.string(),
                .runtime_directory = folder_.string()};
  }
  ~RuntimeWithEngine() override {
    runtime_.reset();
    std::filesystem::remove_all(folder_);
  }
  RuntimeWithEngine(const RuntimeWithEngine&) = delete;
  RuntimeWithEngine& operator=(const RuntimeWithEngine&) = delete;

  EndpointConfig engine(const std::string& script) const {
    std::ofstream(options_.program) << "#!/bin/sh\n" << script;
    std::filesystem::permissions(options_.program, std::filesystem::perms::owner_all);
    EndpointConfig endpoint;
    endpoint.endpoint.name = "local";
    endpoint.endpoint.max_in_flight = 4;
    endpoint.model = "small";
    endpoint.engine = EngineConfig{.model = (folder_ / "model.gguf").string(), .threads = {}};
    endpoint.accepts_grammar = true;
    return endpoint;
  }

  std::filesystem::path folder_;
  RuntimeOptions options_;
};

TEST_F(RuntimeWithEngine, CallsGoToWhereTheEngineListensOnceItDoes) {
  ScriptedEndpoint served(loop_, [](const Asked& asked, const Answer& answer) {
    EXPECT_EQ(asked.chat.model, "small");
    stream(*answer, "from the engine");
  });
  const std::string address = served.url().substr(7, served.url().size() - 7 - 3);
  start({engine("echo 'listening on " + address + "'\nexec cat >/dev/null\n")}, "edge", options_);
  runtime_->submit(query(PlanMode::kNever), view_);
  turn(loop_);
  EXPECT_EQ(view_.receipt.answer, "from the engine");
}

TEST_F(RuntimeWithEngine, AnEngineThatCannotStartLeavesTheWorkToOthers) {
  ScriptedEndpoint cloud(
      loop_, [](const Asked&, const Answer& answer) { stream(*answer, "from the cloud"); });
  start({engine("echo 'the file is damaged' >&2\nexit 2\n"), remote("cloud", Tier::kCloud, cloud)},
        "edge", options_);
  runtime_->warm_up();
  runtime_->submit(query(PlanMode::kNever), view_);
  turn(loop_);
  EXPECT_EQ(view_.receipt.answer, "from the cloud");
  const CallRecord& failed = view_.receipt.record.calls.at(0);
  EXPECT_EQ(failed.failure, Failure::kRejected);
  EXPECT_TRUE(failed.detail.contains("the file is damaged")) << failed.detail;
}

TEST_F(RuntimeWithEngine, AMissingModelIsRefusedAtOnce) {
  EndpointConfig endpoint = engine("exit 1\n");
  endpoint.engine->model = "/nonexistent/model.gguf";
  Config config;
  config.endpoints = {endpoint};
  const auto made = Runtime::create(loop_, std::move(config), options_);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalidInput);
}

#endif

}  // namespace
}  // namespace hf
