// Goal: a whole run measures every contender, and says plainly why it could not.
// Method: the stub itself plays the gateway, behind a script that prints where it listens, as the
// real server does.
#include "load/bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "load/contender.h"
#include "load/process.h"
#include "load/stub.h"
#include "script.h"

namespace hf::load {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class BenchTest : public testing::Test {
 protected:
  void SetUp() override {
    auto stub = Stub::start("127.0.0.1:0");
    ASSERT_TRUE(stub);
    upstream_ = *std::move(stub);
    auto directory = TempDirectory::create();
    ASSERT_TRUE(directory);
    directory_.emplace(*std::move(directory));
    options_.length = milliseconds(200);
    options_.rounds = 2;
    options_.rate = 100;
    options_.connections = 4;
    options_.streams = 2;
    options_.delay = milliseconds(1);
  }

  // A program that does what the script says, called as the server is.
  std::string program(const std::string& script) {
    const auto path = directory_->path() / "program";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
  }

  std::string gateway() {
    return program("echo listening on " + upstream_->address() + "; exec tail -f /dev/null");
  }

  BenchResult run() {
    auto result = run_bench(options_);
    EXPECT_TRUE(result) << result.error().message;
    return result ? *std::move(result) : BenchResult{};
  }

  std::string complaint() {
    const auto result = run_bench(options_);
    return result ? "no complaint" : result.error().message;
  }

  std::unique_ptr<Stub> upstream_;
  std::optional<TempDirectory> directory_;
  BenchOptions options_;
};

TEST_F(BenchTest, OpenLoopHasARowForEachContender) {
  options_.mode = Mode::kOpen;
  options_.program = gateway();
  const BenchResult result = run();
  ASSERT_EQ(result.measurements.size(), 1U);
  const Measurement& open = result.measurements[0];
  EXPECT_EQ(open.kind, Kind::kOpen);
  ASSERT_TRUE(open.row(Who::kDirect));
  EXPECT_FALSE(open.row(Who::kNginx));
  ASSERT_TRUE(open.row(Who::kGateway));
  for (const Who who : {Who::kDirect, Who::kGateway}) {
    EXPECT_EQ(open.row(who)->requests, 16U);  // Of 20, four in the warm-ups.
    EXPECT_EQ(open.row(who)->errors, 0U) << open.row(who)->first_error;
    EXPECT_TRUE(open.row(who)->cpu_us);
    EXPECT_TRUE(open.row(who)->rss_mb);
  }
  EXPECT_GE(open.row(Who::kDirect)->p50, 0.99);
  EXPECT_EQ(open.row(Who::kDirect)->added_p50, 0);
  EXPECT_FALSE(result.memory);
  EXPECT_FALSE(result.cold_start);
}

TEST_F(BenchTest, StreamsAreMeasuredTwiceWithTwiceAsMany) {
  upstream_->set({.chunks = kStreamChunks, .gap = kStreamGap});
  options_.mode = Mode::kStream;
  options_.rounds = 1;
  options_.program = gateway();
  const BenchResult result = run();
  ASSERT_EQ(result.measurements.size(), 2U);
  EXPECT_EQ(result.measurements[0].connections, 2);
  EXPECT_EQ(result.measurements[1].connections, 4);
  for (const Measurement& one : result.measurements) {
    ASSERT_TRUE(one.row(Who::kGateway));
    EXPECT_GT(one.row(Who::kGateway)->requests, 0U);
    EXPECT_EQ(one.row(Who::kGateway)->errors, 0U) << one.row(Who::kGateway)->first_error;
    EXPECT_EQ(one.row(Who::kGateway)->chunks_lost, 0U);
  }
}

TEST_F(BenchTest, StartAndIdlenessAreThoseOfTheGateway) {
  options_.mode = Mode::kStart;
  options_.program = gateway();
  const BenchResult result = run();
  EXPECT_TRUE(result.measurements.empty());
  ASSERT_TRUE(result.cold_start);
  EXPECT_GT(result.cold_start->median_ms, 0);
  EXPECT_GE(result.cold_start->worst_ms, result.cold_start->median_ms);
  ASSERT_TRUE(result.idle_cpu_ms);
}

TEST_F(BenchTest, AGatewayFromElsewhereIsMeasuredWithoutItsCosts) {
  options_.mode = Mode::kOpen;
  options_.gateway = *target_of("http://" + upstream_->address() + "/v1");
  options_.gateway->model = "stub";
  const BenchResult result = run();
  ASSERT_EQ(result.measurements.size(), 1U);
  ASSERT_TRUE(result.measurements[0].row(Who::kGateway));
  EXPECT_EQ(result.measurements[0].row(Who::kGateway)->requests, 16U);
  EXPECT_FALSE(result.measurements[0].row(Who::kGateway)->cpu_us);
}

TEST_F(BenchTest, AGatewayThatDoesNotStartIsQuoted) {
  const std::string has_keys = "if [ \"$1\" = keys ]; then echo hf-key; exit 0; fi; ";
  options_.program = program(has_keys + "echo first >&2; echo the port is taken >&2; exit 1");
  EXPECT_THAT(complaint(), HasSubstr("did not start: the port is taken"));
  options_.program = program(has_keys + "exit 1");
  EXPECT_THAT(complaint(), HasSubstr("it said nothing"));
  options_.program = program("echo no store >&2; exit 1");
  EXPECT_THAT(complaint(), HasSubstr("No key could be made: no store"));
}

TEST_F(BenchTest, AGatewayThatAnswersSomethingElseIsQuoted) {
  const ScriptServer server(
      [](int) -> Reply { return {.bytes = "HTTP/1.1 401 No\r\nContent-Length: 6\r\n\r\nno key"}; });
  options_.gateway = server.target();
  EXPECT_THAT(complaint(), HasSubstr("the gateway answers with status 401"));
  EXPECT_THAT(complaint(), HasSubstr("no key"));
}

TEST_F(BenchTest, AnAddressThatIsTakenIsRefused) {
  options_.stub_address = upstream_->address();
  EXPECT_THAT(complaint(), HasSubstr("Cannot listen at port"));
}

TEST_F(BenchTest, EndsWhenAskedTo) {
  const std::atomic<bool> stop = true;
  options_.program = gateway();
  options_.stop = &stop;
  const auto result = run_bench(options_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kCancelled);
}

TEST_F(BenchTest, NginxIsMeasuredWhereItIsInstalled) {
  options_.mode = Mode::kOpen;
  options_.with_nginx = true;
  options_.program = gateway();
  if (!find_program("nginx")) {
    EXPECT_THAT(complaint(), HasSubstr("no nginx on this machine; install it"));
    return;
  }
  const BenchResult result = run();
  ASSERT_EQ(result.measurements.size(), 1U);
  ASSERT_TRUE(result.measurements[0].row(Who::kNginx));
  EXPECT_EQ(result.measurements[0].row(Who::kNginx)->errors, 0U);
  EXPECT_EQ(result.measurements[0].row(Who::kNginx)->requests, 16U);
}

TEST(FindProgram, LooksWhereAShellWould) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program-at-all"));
}

}  // namespace
}  // namespace hf::load
