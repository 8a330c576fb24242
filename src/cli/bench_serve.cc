#include "cli/bench_serve.h"

#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <map>

#include "cli/ask.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "config/config.h"
#include "load/bench.h"
#include "load/verdict.h"

namespace hf::cli {
namespace {

namespace json = boost::json;
using load::Kind;
using load::Measurement;
using load::Met;
using load::Row;
using load::Who;

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};

std::atomic<bool> is_stopped = false;

// While it exists, a signal ends the run in order: processes stopped, files removed.
class SignalGuard {
 public:
  SignalGuard() {
    is_stopped = false;
    struct sigaction stop{};
    stop.sa_handler = [](int) { is_stopped = true; };
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &stop, nullptr);
    }
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
  }

 private:
  std::array<struct sigaction, kSignals.size()> before_{};
};

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// What goes into a header or a JSON string as it is.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

Result<load::Target> gateway_of(const BenchServeOptions& options) {
  HF_TRY(load::Target target, load::target_of(options.gateway));
  if (options.model.empty() || !is_plain(options.model)) {
    return fail(Code::kInvalidInput, "--gateway needs --model with the name of a model there.");
  }
  target.model = options.model;
  if (options.key_env.empty()) return target;
  const char* key = std::getenv(options.key_env.c_str());
  if (key == nullptr || *key == '\0' || !is_plain(key)) {
    return fail(Code::kInvalidInput,
                fmt::format("--key-env: the variable {} holds no key.", options.key_env));
  }
  target.key = key;
  return target;
}

Result<load::BenchOptions> bench_options(const BenchServeOptions& options) {
  const std::map<std::string, load::Mode, std::less<>> modes{{"all", load::Mode::kAll},
                                                             {"open", load::Mode::kOpen},
                                                             {"closed", load::Mode::kClosed},
                                                             {"stream", load::Mode::kStream},
                                                             {"start", load::Mode::kStart}};
  const auto mode = modes.find(options.mode);
  if (mode == modes.end()) {
    return fail(Code::kInvalidInput, "--mode is all, open, closed, stream or start.");
  }
  HF_TRY(const Duration delay, parse_duration(options.upstream_delay));
  load::BenchOptions bench;
  bench.mode = mode->second;
  bench.with_nginx = options.nginx;
  bench.program = "/proc/self/exe";
  bench.stub_address = options.stub;
  bench.rate = options.rate;
  bench.connections = options.connections;
  bench.streams = options.streams;
  bench.rounds = options.rounds;
  bench.delay = delay;
  bench.stop = &is_stopped;
  bench.length =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
  bench.progress = [](std::string_view text) { show(stderr, fmt::format("{}\n", text)); };
  if (options.gateway.empty()) return bench;
  HF_TRY(bench.gateway, gateway_of(options));
  if (options.gateway_pid > 0) bench.gateway_pid = options.gateway_pid;
  return bench;
}

std::string_view name_of(Who who) {
  constexpr std::array<std::string_view, load::kContenders.size()> kNames{"direct", "nginx",
                                                                          "gateway"};
  return kNames[static_cast<std::size_t>(who)];
}

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 3> kNames{"open", "closed", "stream"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Met met) {
  constexpr std::array<std::string_view, 3> kNames{"hit", "miss", "not measured"};
  return kNames[static_cast<std::size_t>(met)];
}

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

std::string title(const Measurement& one, int rounds) {
  switch (one.kind) {
    case Kind::kOpen:
      return fmt::format("open loop: {:.0f} req/s, upstream {:g} ms, {} rounds", one.rate,
                         milliseconds(one.delay), rounds);
    case Kind::kClosed:
      return fmt::format("closed loop: {} connections, upstream 0 ms, {} rounds", one.connections,
                         rounds);
    case Kind::kStream:
      return fmt::format("{} streams of {} chunks at {:g} a second, upstream {:g} ms, {} rounds",
                         one.connections, load::kStreamChunks,
                         1000 / milliseconds(load::kStreamGap), milliseconds(one.delay), rounds);
  }
  return {};
}

void show_rows(const Measurement& one) {
  const bool is_stream = one.kind == Kind::kStream;
  std::string text =
      fmt::format("  {:8}{:>9}{:>7}{:>9}{:>9}{:>9}{:>9}", "", is_stream ? "streams" : "requests",
                  "errors", "p50 ms", "p90", "p99", "p99.9");
  text += is_stream ? fmt::format("{:>11}{:>8}{:>7}{:>6}", "jitter p50", "p99", "stalls", "lost")
                    : fmt::format("{:>10}", "req/s");
  text += fmt::format("{:>9}{:>8}\n", "CPU us", "RSS MB");
  for (const Who who : load::kContenders) {
    const auto& row = one.row(who);
    if (!row) continue;
    text += fmt::format("  {:8}{:>9}{:>7}{:>9.3f}{:>9.3f}{:>9.3f}{:>9.3f}", name_of(who),
                        row->requests, row->errors, row->p50, row->p90, row->p99, row->p999);
    text += is_stream ? fmt::format("{:>11.3f}{:>8.3f}{:>7}{:>6}", row->jitter_p50, row->jitter_p99,
                                    row->stalls, row->chunks_lost)
                      : fmt::format("{:>10.0f}", row->per_second);
    text += fmt::format("{:>9}{:>8}\n", number(row->cpu_us), number(row->rss_mb));
  }
  show(stdout, text);
}

void show_differences(const Measurement& one) {
  for (const Who who : {Who::kNginx, Who::kGateway}) {
    const auto& row = one.row(who);
    if (!row) continue;
    show(stdout,
         fmt::format("  {} adds p50 {:+.3f} ms, p99 {:+.3f} ms{}\n", name_of(who), row->added_p50,
                     row->added_p99, one.kind == Kind::kStream ? " to the first chunk" : ""));
    if (row->errors > 0) {
      show(stdout, fmt::format("  {}: first error: {}\n", name_of(who), row->first_error));
    }
  }
  const auto& nginx = one.row(Who::kNginx);
  const auto& gateway = one.row(Who::kGateway);
  if (!nginx || !gateway) return;
  std::string text = "  gateway / nginx:";
  if (one.kind == Kind::kClosed && nginx->per_second > 0) {
    text += fmt::format(" {:.2f}x req/s", gateway->per_second / nginx->per_second);
  } else if (nginx->added_p50 > 0 && nginx->added_p99 > 0) {
    text +=
        fmt::format(" {:.1f}x added p50, {:.1f}x added p99", gateway->added_p50 / nginx->added_p50,
                    gateway->added_p99 / nginx->added_p99);
  } else {
    text += " what nginx adds is lost in the noise";
  }
  if (nginx->cpu_us && gateway->cpu_us && *nginx->cpu_us > 0) {
    text += fmt::format(", {:.1f}x CPU", *gateway->cpu_us / *nginx->cpu_us);
  }
  show(stdout, text + "\n");
}

void show_result(const load::BenchResult& result, const std::vector<load::Verdict>& verdicts,
                 int rounds) {
  for (const Measurement& one : result.measurements) {
    show(stdout, title(one, rounds) + "\n");
    show_rows(one);
    show_differences(one);
    show(stdout, "\n");
  }
  if (result.cold_start) {
    show(stdout,
         fmt::format("cold start to the first answer: {:.1f} ms (median; worst {:.1f}, very "
                     "first {:.1f})\n",
                     result.cold_start->median_ms, result.cold_start->worst_ms,
                     result.cold_start->first_ms));
  }
  if (result.idle_cpu_ms) {
    show(stdout, fmt::format("idle: {:.3f} ms of processor time a second\n", *result.idle_cpu_ms));
  }
  if (result.memory) {
    show(stdout, fmt::format("memory after {} requests: {:.1f} MB\n", result.memory->requests,
                             result.memory->rss_mb));
  }
  show(stdout, "\ntargets\n");
  for (const load::Verdict& verdict : verdicts) {
    show(stdout,
         fmt::format("  {:13}{}: {}\n", name_of(verdict.met), verdict.target, verdict.seen));
  }
}

template <class T>
json::value nullable(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object json_of(const Row& row, Kind kind) {
  json::object object{{"requests", row.requests},
                      {"errors", row.errors},
                      {"p50_ms", row.p50},
                      {"p90_ms", row.p90},
                      {"p99_ms", row.p99},
                      {"p999_ms", row.p999},
                      {"added_p50_ms", row.added_p50},
                      {"added_p99_ms", row.added_p99},
                      {"per_second", row.per_second},
                      {"cpu_us", nullable(row.cpu_us)},
                      {"rss_mb", nullable(row.rss_mb)}};
  if (!row.first_error.empty()) object["first_error"] = row.first_error;
  if (kind == Kind::kStream) {
    object["jitter_p50_ms"] = row.jitter_p50;
    object["jitter_p99_ms"] = row.jitter_p99;
    object["stalls"] = row.stalls;
    object["chunks_lost"] = row.chunks_lost;
    object["chunks_doubled"] = row.chunks_doubled;
  }
  return object;
}

json::object json_of(const load::BenchResult& result, const std::vector<load::Verdict>& verdicts) {
  json::array measurements;
  for (const Measurement& one : result.measurements) {
    json::object object{{"loop", name_of(one.kind)},
                        {"connections", one.connections},
                        {"upstream_delay_ms", milliseconds(one.delay)}};
    if (one.kind == Kind::kOpen) object["rate"] = one.rate;
    for (const Who who : load::kContenders) {
      const auto& row = one.row(who);
      object[name_of(who)] = row ? json::value(json_of(*row, one.kind)) : json::value(nullptr);
    }
    measurements.push_back(std::move(object));
  }
  json::array targets;
  for (const load::Verdict& verdict : verdicts) {
    targets.push_back(
        {{"target", verdict.target}, {"verdict", name_of(verdict.met)}, {"seen", verdict.seen}});
  }
  json::object object{{"measurements", std::move(measurements)},
                      {"idle_cpu_ms_per_second", nullable(result.idle_cpu_ms)},
                      {"cold_start", nullptr},
                      {"memory", nullptr},
                      {"targets", std::move(targets)}};
  if (result.cold_start) {
    object["cold_start"] = {{"first_ms", result.cold_start->first_ms},
                            {"median_ms", result.cold_start->median_ms},
                            {"worst_ms", result.cold_start->worst_ms}};
  }
  if (result.memory) {
    object["memory"] = {{"requests", result.memory->requests}, {"rss_mb", result.memory->rss_mb}};
  }
  return object;
}

}  // namespace

int run_bench_serve(const BenchServeOptions& options) {
  const auto bench = bench_options(options);
  if (!bench) return complain(bench.error().message, kBadUsage);
  const SignalGuard guard;
  const auto result = load::run_bench(*bench);
  if (!result) {
    if (result.error().code == Code::kCancelled) return kInterrupted;
    return complain(result.error().message, kFailed);
  }
  const auto verdicts = load::judge(*result);
  if (options.json) {
    show(stdout, json::serialize(json_of(*result, verdicts)) + "\n");
  } else {
    show_result(*result, verdicts, options.rounds);
  }
  return 0;
}

}  // namespace hf::cli
