// What one call of HttpClient costs, with HttpServer on the other side of the same loop: over
// loopback and over a Unix socket, by the shortest way and through libcurl; 1 or 64 calls at once.
// CPU is that of the whole process: client, server and libcurl's thread together. `bare` is the
// floor.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>

#include "net/http_client.h"
#include "net/http_server.h"

namespace hf::net {
namespace {

constexpr int kCallsATurn = 100;

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

const std::string& chat_request() {
  static const std::string text =
      R"({"model":"stub","messages":[{"role":"user","content":")" + std::string(300, 'q') + "\"}]}";
  return text;
}
const std::string& chat_answer() {
  static const std::string text =
      R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":")" +
      std::string(300, 'a') + "\"}}]}";
  return text;
}

// The last measurements, for the ratios.
std::array<double, 4> last_us{};

void run_calls(benchmark::State& state, bool is_unix, Transport transport) {
  EventLoop loop;
  const std::string path = "/tmp/hf-bench-" + std::to_string(::getpid());
  auto server = HttpServer::listen(loop, is_unix ? "unix:" + path : "127.0.0.1:0",
                                   [](const Request&, const std::shared_ptr<Responder>& answer) {
                                     answer->send(200, "application/json", chat_answer());
                                   });
  if (!server) std::abort();
  const auto client = HttpClient::create(loop, transport);
  const auto at_once = static_cast<int>(state.range(0));
  int left = 0;
  int open = 0;
  std::uint64_t failed = 0;
  std::function<void()> call = [&] {
    --left;
    ++open;
    Call made{.url = "http://" + (is_unix ? "engine" : (*server)->address()) + "/v1/chat"};
    if (is_unix) made.unix_socket = path;
    made.headers = {{"Content-Type", "application/json"}};
    made.body = chat_request();
    client->start(std::move(made), {.on_done = [&](const CallResult& result) {
                    --open;
                    if (result.status != 200) ++failed;
                    if (left > 0) return call();
                    if (open == 0) loop.stop();
                  }});
  };
  const double before = cpu_seconds();
  for (auto _ : state) {
    left = kCallsATurn;
    for (int i = 0; i < at_once; ++i) call();
    loop.run();
  }
  const auto calls = static_cast<double>(state.iterations()) * kCallsATurn;
  const double us = (cpu_seconds() - before) * 1e6 / calls;
  const std::size_t place = (is_unix ? 2U : 0U) + (transport == Transport::kCurl ? 1U : 0U);
  last_us[place] = us;
  state.SetItemsProcessed(static_cast<std::int64_t>(calls));
  state.counters["cpu_us_per_call"] = us;
  state.counters["failed"] = static_cast<double>(failed);
  if (transport == Transport::kCurl && last_us[place - 1] > 0) {
    state.counters["curl_over_direct"] = us / last_us[place - 1];
  }
}

// The same sizes there and back over a pair of sockets: the four system calls that nobody can save.
void bare(benchmark::State& state) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) std::abort();
  std::array<char, 4096> buffer{};
  const double before = cpu_seconds();
  for (auto _ : state) {
    for (const auto& [from, to, size] : {std::tuple(0U, 1U, chat_request().size() + 200),
                                         std::tuple(1U, 0U, chat_answer().size() + 150)}) {
      if (::write(ends[from], buffer.data(), size) < 0) std::abort();
      if (::read(ends[to], buffer.data(), buffer.size()) < 0) std::abort();
    }
  }
  state.counters["cpu_us_per_call"] =
      (cpu_seconds() - before) * 1e6 / static_cast<double>(state.iterations());
  ::close(ends[0]);
  ::close(ends[1]);
}

BENCHMARK(bare);
BENCHMARK_CAPTURE(run_calls, loopback_direct, false, Transport::kShortest)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(run_calls, loopback_curl, false, Transport::kCurl)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(run_calls, unix_direct, true, Transport::kShortest)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(run_calls, unix_curl, true, Transport::kCurl)->Arg(1)->Arg(64);

}  // namespace
}  // namespace hf::net
