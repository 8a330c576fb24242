// Goal: an engine runs when it is needed, is replaced when it dies or hangs, is given up when that
// cannot help, and never outlives its supervisor.
// Method: shell scripts play the engine; its socket, where one is needed, is a server of the test.
#include "runtime/engine_supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "scripted.h"

namespace hf {
namespace {

namespace fs = std::filesystem;

bool is_alive(int pid) {
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

// Lives until its standard input closes, as a real engine does.
constexpr std::string_view kLive = "exec cat >/dev/null\n";

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    std::string pattern = (fs::temp_directory_path() / "supervisor-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_.program = (folder_ / "engine").string();
    options_.model_path = "/models/small.gguf";
    options_.name = "edge";
    options_.model_name = "small";
    options_.runtime_directory = folder_.string();
  }
  ~SupervisorTest() override {
    supervisor_.reset();
    fs::remove_all(folder_);
  }
  SupervisorTest(const SupervisorTest&) = delete;
  SupervisorTest& operator=(const SupervisorTest&) = delete;

  void supervise(std::string_view script) {
    std::ofstream(options_.program) << "#!/bin/sh\n" << script;
    fs::permissions(options_.program, fs::perms::owner_all);
    supervisor_ = std::make_unique<EngineSupervisor>(loop_, *client_, options_);
  }
  // The health page of a lively engine, answered by `answer`.
  void serve(std::function<void(const Answer&)> answer) {
    auto made = net::HttpServer::listen(
        loop_, "127.0.0.1:0",
        [this, answer = std::move(answer)](const net::Request& request, const Answer& responder) {
          EXPECT_EQ(request.path, "/health");
          ++health_checks_;
          answer(responder);
        });
    ASSERT_TRUE(made.has_value());
    server_ = *std::move(made);
  }
  std::string listening() const {
    return "echo 'listening on " + server_->address() + "'\n" + std::string(kLive);
  }
  Result<EngineAddress> wait_up() {
    std::optional<Result<EngineAddress>> result;
    supervisor_->when_up([&](const Result<EngineAddress>& address) { result = address; });
    turn_until(loop_, [&] { return result.has_value(); });
    return result.value_or(fail(Code::kInternal, "nobody answered"));
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  fs::path folder_;
  EngineSupervisor::Options options_;
  net::EventLoop loop_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::HttpClient> client_ = net::HttpClient::create(loop_);
  std::unique_ptr<EngineSupervisor> supervisor_;
  int health_checks_ = 0;
};

TEST_F(SupervisorTest, NothingIsStartedBeforeItIsNeeded) {
  supervise("echo started > " + (folder_ / "mark").string() + "\n" + std::string(kLive));
  supervisor_->work_started();
  turn_for(loop_, 100ms);
  EXPECT_EQ(supervisor_->starts(), 0U);
  EXPECT_EQ(supervisor_->pid(), 0);
  EXPECT_FALSE(fs::exists(folder_ / "mark"));
}

TEST_F(SupervisorTest, OneStartServesAllWhoWait) {
  supervise("echo some chatter\necho 'listening on 127.0.0.1:4711'\n" + std::string(kLive));
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    supervisor_->when_up([&](const Result<EngineAddress>& address) {
      ASSERT_TRUE(address.has_value());
      EXPECT_EQ(address->host_port, "127.0.0.1:4711");
      EXPECT_EQ(address->unix_socket, "");
      if (++answered == 3) loop_.stop();
    });
  }
  EXPECT_EQ(answered, 0);
  turn(loop_);
  EXPECT_EQ(answered, 3);
  EXPECT_EQ(supervisor_->starts(), 1U);
  EXPECT_TRUE(is_alive(supervisor_->pid()));

  bool is_answered_at_once = false;
  supervisor_->when_up([&](const Result<EngineAddress>&) { is_answered_at_once = true; });
  EXPECT_TRUE(is_answered_at_once);
}

TEST_F(SupervisorTest, TwoOfOneNameListenSideBySide) {
  const std::string script = "echo \"$@\" >> " + (folder_ / "arguments").string() +
                             "\necho 'listening on 127.0.0.1:1'\n" + std::string(kLive);
  supervise(script);
  ASSERT_TRUE(wait_up().has_value());
  const auto first = std::move(supervisor_);  // As a new configuration finds it.
  supervise(script);
  ASSERT_TRUE(wait_up().has_value());
  const std::string stem = (folder_ / (std::to_string(::getpid()) + "-edge")).string();
  EXPECT_THAT(read("arguments"), testing::HasSubstr("unix:" + stem + ".sock\n"));
  EXPECT_THAT(read("arguments"), testing::HasSubstr("unix:" + stem + ".1.sock\n"));
}

TEST_F(SupervisorTest, AUnixSocketIsTheOtherKindOfAddress) {
  supervise("echo 'listening on unix:/run/x.sock'\n" + std::string(kLive));
  const auto address = wait_up();
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->unix_socket, "/run/x.sock");
  EXPECT_EQ(address->host_port, "");
  EXPECT_EQ(engine_call(*address).url, "http://engine/v1");
  EXPECT_EQ(engine_call(*address).unix_socket, "/run/x.sock");
}

TEST_F(SupervisorTest, TheEngineIsToldModelSizesAndWhereToListen) {
  options_.engine = {.model = "small", .slots = 2, .context = 512, .threads = 3};
  const std::string script = "echo \"$@\" > " + (folder_ / "arguments").string() +
                             "\necho 'listening on 127.0.0.1:1'\n" + std::string(kLive);
  supervise(script);
  ASSERT_TRUE(wait_up().has_value());
  EXPECT_EQ(read("arguments"),
            "engine /models/small.gguf --parent-watch --name small --slots 2 --context 512 "
            "--threads 3 --listen unix:" +
                (folder_ / (std::to_string(::getpid()) + "-edge.sock")).string() + "\n");

  options_.engine.threads.reset();
  options_.lab = LabConfig{
      .round_trip = 80ms, .tokens_per_second = 30, .failure_rate = 0.25, .cache = "/answers"};
  supervise(script);
  ASSERT_TRUE(wait_up().has_value());
  EXPECT_EQ(read("arguments"),
            "engine /models/small.gguf --parent-watch --name small --slots 2 --context 512 "
            "--listen 127.0.0.1:0 --lab-round-trip 80 --lab-rate 30 --lab-failure-rate 0.25 "
            "--lab-cache /answers\n");
}

TEST_F(SupervisorTest, AnEngineThatRefusesItsInputIsNotStartedAgain) {
  supervise("echo 'loading' >&2\necho 'the file is damaged' >&2\nexit 2\n");
  const auto address = wait_up();
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, Code::kInvalidInput);
  EXPECT_TRUE(address.error().message.contains("'edge'")) << address.error().message;
  EXPECT_TRUE(address.error().message.contains("the file is damaged"));
  EXPECT_FALSE(address.error().message.contains("loading"));

  supervisor_->work_started();
  const auto again = wait_up();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error(), address.error());
  turn_for(loop_, 400ms);
  EXPECT_EQ(supervisor_->starts(), 1U);
}

TEST_F(SupervisorTest, AnEngineThatKeepsDyingIsReportedAfterGrowingPauses) {
  supervise("echo 'no memory' >&2\nexit 1\n");
  const TimePoint begin = loop_.now();
  const auto address = wait_up();
  // A quarter and then half of a second; a timer never comes early.
  EXPECT_GE(loop_.now() - begin, 750ms);
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, Code::kUnavailable);
  EXPECT_TRUE(address.error().message.contains("code 1"));
  EXPECT_TRUE(address.error().message.contains("no memory"));
  EXPECT_EQ(supervisor_->starts(), 3U);
}

TEST_F(SupervisorTest, AnEngineThatDiesOnceIsBackForThoseWhoWait) {
  const std::string mark = (folder_ / "mark").string();
  supervise("test -e " + mark + " || { touch " + mark + "; kill -9 $$; }\n" +
            "echo 'listening on 127.0.0.1:1'\n" + std::string(kLive));
  EXPECT_TRUE(wait_up().has_value());
  EXPECT_EQ(supervisor_->starts(), 2U);
}

TEST_F(SupervisorTest, ADeadEngineIsStartedAgainOnlyWhenItIsNeeded) {
  supervise("echo 'listening on 127.0.0.1:1'\n" + std::string(kLive));
  ASSERT_TRUE(wait_up().has_value());
  const int first = supervisor_->pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  turn_until(loop_, [&] { return supervisor_->pid() == 0; });
  turn_for(loop_, 400ms);
  EXPECT_EQ(supervisor_->starts(), 1U);

  ASSERT_TRUE(wait_up().has_value());
  EXPECT_EQ(supervisor_->starts(), 2U);
  EXPECT_NE(supervisor_->pid(), 0);
  EXPECT_FALSE(is_alive(first));
}

TEST_F(SupervisorTest, ADeadEngineWithWorkIsStartedAgainByItself) {
  supervise("echo 'listening on 127.0.0.1:1'\n" + std::string(kLive));
  ASSERT_TRUE(wait_up().has_value());
  supervisor_->work_started();
  const int first = supervisor_->pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  turn_until(loop_, [&] { return supervisor_->pid() != 0 && supervisor_->pid() != first; });
  EXPECT_EQ(supervisor_->starts(), 2U);
}

TEST_F(SupervisorTest, AnEngineThatStopsAnsweringIsReplaced) {
  std::vector<Answer> kept;
  serve([&](const Answer& answer) { kept.push_back(answer); });
  options_.health_period = 50ms;
  options_.health_misses_max = 2;
  supervise(listening());
  ASSERT_TRUE(wait_up().has_value());
  const int first = supervisor_->pid();
  supervisor_->work_started();
  turn_until(loop_, [&] { return supervisor_->starts() == 2; });
  EXPECT_LE(health_checks_, 2);
  EXPECT_FALSE(is_alive(first));
}

TEST_F(SupervisorTest, AnEngineThatIsStillLoadingIsAlive) {
  serve([&](const Answer& answer) {
    answer->send(503, "application/json", "{}");
    if (health_checks_ == 4) loop_.stop();
  });
  options_.health_period = 100ms;
  options_.health_misses_max = 2;
  supervise(listening());
  ASSERT_TRUE(wait_up().has_value());
  supervisor_->work_started();
  turn(loop_);
  EXPECT_EQ(supervisor_->starts(), 1U);
}

TEST_F(SupervisorTest, AMissedCheckIsForgivenByTheNextGoodOne) {
  std::vector<Answer> kept;
  serve([&](const Answer& answer) {
    if (health_checks_ % 2 == 1) return kept.push_back(answer);
    answer->send(200, "application/json", "{}");
    if (health_checks_ == 4) loop_.stop();
  });
  options_.health_period = 200ms;
  options_.health_misses_max = 2;
  supervise(listening());
  ASSERT_TRUE(wait_up().has_value());
  supervisor_->work_started();
  turn(loop_);
  EXPECT_EQ(supervisor_->starts(), 1U);
}

TEST_F(SupervisorTest, HealthIsNotAskedForWithoutWork) {
  serve([&](const Answer& answer) { answer->send(200, "application/json", "{}"); });
  options_.health_period = 5ms;
  supervise(listening());
  ASSERT_TRUE(wait_up().has_value());
  turn_for(loop_, 60ms);
  EXPECT_EQ(health_checks_, 0);

  supervisor_->work_started();
  turn_until(loop_, [&] { return health_checks_ > 0; });
  supervisor_->work_ended();
  turn_for(loop_, 20ms);
  const int checks = health_checks_;
  turn_for(loop_, 60ms);
  EXPECT_EQ(health_checks_, checks);
}

TEST_F(SupervisorTest, DestroyingItEndsTheEngineAndRemovesItsFiles) {
  supervise("echo 'listening on 127.0.0.1:1'\necho words >&2\n" + std::string(kLive));
  ASSERT_TRUE(wait_up().has_value());
  const int pid = supervisor_->pid();
  EXPECT_TRUE(is_alive(pid));
  supervisor_.reset();
  EXPECT_FALSE(is_alive(pid));
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().filename(), "engine");
  }
}

TEST_F(SupervisorTest, DestroyingItWhileItStartsAnswersNobody) {
  supervise(std::string(kLive));
  bool is_answered = false;
  supervisor_->when_up([&](const Result<EngineAddress>&) { is_answered = true; });
  const int pid = supervisor_->pid();
  supervisor_.reset();
  EXPECT_FALSE(is_alive(pid));
  turn_for(loop_, 20ms);
  EXPECT_FALSE(is_answered);
}

TEST_F(SupervisorTest, AProgramThatIsNotThereIsAnError) {
  supervise("");
  fs::remove(options_.program);
  const auto address = wait_up();
  ASSERT_FALSE(address.has_value());
  EXPECT_EQ(address.error().code, Code::kUnavailable);
  EXPECT_TRUE(address.error().message.contains(options_.program));
}

TEST_F(SupervisorTest, AMissingModelIsRefusedBeforeAnythingStarts) {
  EndpointConfig endpoint;
  endpoint.endpoint.name = "edge";
  endpoint.engine = EngineConfig{.model = "/nonexistent/model.gguf", .threads = {}};
  const auto made = make_engine_supervisor(loop_, *client_, endpoint,
                                           {.program = "/bin/true",
                                            .model_directory = folder_.string(),
                                            .runtime_directory = folder_.string()});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalidInput);
#ifdef HF_ENGINE
  EXPECT_TRUE(made.error().message.contains("/nonexistent/model.gguf")) << made.error().message;
#else
  EXPECT_TRUE(made.error().message.contains("edge")) << made.error().message;
#endif
}

}  // namespace
}  // namespace hf
