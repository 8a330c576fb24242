#include "load/verdict.h"

#include <fmt/format.h>

namespace hf::load {
namespace {

constexpr Duration kDelay = std::chrono::milliseconds(20);
constexpr double kRate = 1000;
constexpr int kConnections = 64;
constexpr int kStreams = 256;
constexpr double kIdleMs = 1;  // In a second: what the system's own counters would call zero.

struct Seen {
  Met met = Met::kNotMeasured;
  std::string words;
};

Seen not_measured(std::string why) {
  return {Met::kNotMeasured, std::move(why)};
}

Seen seen(bool is_met, std::string words) {
  return {is_met ? Met::kHit : Met::kMiss, std::move(words)};
}

const Measurement* find(const BenchResult& result, Kind kind, int connections) {
  for (const Measurement& one : result.measurements) {
    const bool is_open = one.kind == Kind::kOpen;
    if (one.kind != kind || one.connections != connections) continue;
    if (is_open && one.rate != kRate) continue;
    if (kind != Kind::kClosed && one.delay != kDelay) continue;
    return &one;
  }
  return nullptr;
}

// The gateway's row, if it can be judged; else `why` says what stands against it.
const Row* judged(const Measurement* measurement, Seen& why) {
  if (measurement == nullptr || !measurement->row(Who::kGateway)) {
    why = not_measured("not part of this run");
    return nullptr;
  }
  const Row& row = *measurement->row(Who::kGateway);
  if (row.errors > 0 || row.requests == 0) {
    why = seen(false, fmt::format("{} of {} requests failed: {}", row.errors, row.requests,
                                  row.first_error));
    return nullptr;
  }
  return &row;
}

// What nginx measured, if it did so without errors.
const Row* nginx_of(const Measurement& measurement) {
  const auto& row = measurement.row(Who::kNginx);
  return row && row->errors == 0 && row->requests > 0 ? &*row : nullptr;
}

Seen added_to(const BenchResult& result, double Row::* added, double factor) {
  Seen why;
  const Measurement* open = find(result, Kind::kOpen, kConnections);
  const Row* gateway = judged(open, why);
  if (gateway == nullptr) return why;
  const Row* nginx = nginx_of(*open);
  if (nginx == nullptr) return not_measured("needs --nginx");
  if (nginx->*added <= 0) return not_measured("what nginx adds is lost in the noise");
  return seen(gateway->*added <= factor * (nginx->*added),
              fmt::format("{:+.3f} ms, nginx {:+.3f} ms: {:.1f}x", gateway->*added, nginx->*added,
                          gateway->*added / (nginx->*added)));
}

Seen throughput(const BenchResult& result) {
  Seen why;
  const Row* gateway = judged(find(result, Kind::kClosed, kConnections), why);
  if (gateway == nullptr) return why;
  return seen(gateway->per_second >= 25'000, fmt::format("{:.0f} req/s", gateway->per_second));
}

Seen throughput_ratio(const BenchResult& result) {
  Seen why;
  const Measurement* closed = find(result, Kind::kClosed, kConnections);
  const Row* gateway = judged(closed, why);
  if (gateway == nullptr) return why;
  const Row* nginx = nginx_of(*closed);
  if (nginx == nullptr) return not_measured("needs --nginx");
  const double ratio = gateway->per_second / nginx->per_second;
  return seen(ratio >= 0.5, fmt::format("{:.2f}x of {:.0f} req/s", ratio, nginx->per_second));
}

Seen first_chunk(const BenchResult& result) {
  Seen why;
  const Row* gateway = judged(find(result, Kind::kStream, kStreams), why);
  if (gateway == nullptr) return why;
  return seen(gateway->added_p99 <= 0.3, fmt::format("{:+.3f} ms", gateway->added_p99));
}

Seen stalls(const BenchResult& result) {
  Seen why;
  const Measurement* streams = find(result, Kind::kStream, 2 * kStreams);
  const Row* gateway = judged(streams, why);
  if (gateway == nullptr) return why;
  const auto& direct = streams->row(Who::kDirect);
  return seen(
      gateway->stalls == 0 && gateway->chunks_lost == 0,
      fmt::format("{} stalls and {} chunks lost in {} streams; the upstream alone: {} stalls",
                  gateway->stalls, gateway->chunks_lost, gateway->requests,
                  direct ? direct->stalls : 0));
}

Seen processor(const BenchResult& result) {
  Seen why;
  const Row* closed = judged(find(result, Kind::kClosed, kConnections), why);
  if (closed == nullptr) return why;
  if (!closed->cpu_us) return not_measured("the gateway's process is not known");
  std::string words = fmt::format("{:.0f} us in the closed loop", *closed->cpu_us);
  const Row* open = judged(find(result, Kind::kOpen, kConnections), why);
  if (open != nullptr && open->cpu_us) {
    words += fmt::format("; {:.0f} us at 1,000 req/s", *open->cpu_us);
  }
  return seen(*closed->cpu_us <= 40, words);
}

Seen memory(const BenchResult& result) {
  if (!result.memory) return not_measured("not part of this run");
  const auto& [requests, mb] = *result.memory;
  const std::string words = fmt::format("{:.1f} MB after {} requests", mb, requests);
  return requests < kMemoryRequests ? not_measured(words) : seen(mb <= 40, words);
}

Seen cold_start(const BenchResult& result) {
  if (!result.cold_start) return not_measured("not part of this run");
  const auto& [first, middle, worst] = *result.cold_start;
  return seen(middle <= 50, fmt::format("{:.0f} ms (median; worst {:.0f} ms; the very first, which "
                                        "makes its files, {:.0f} ms)",
                                        middle, worst, first));
}

Seen idle(const BenchResult& result) {
  if (!result.idle_cpu_ms) return not_measured("not part of this run");
  return seen(*result.idle_cpu_ms < kIdleMs,
              fmt::format("{:.3f} ms a second", *result.idle_cpu_ms));
}

}  // namespace

std::vector<Verdict> judge(const BenchResult& result) {
  std::vector<Verdict> verdicts;
  const auto add = [&](std::string target, Seen what) {
    verdicts.push_back({std::move(target), what.met, std::move(what.words)});
  };
  add("1,000 req/s, 20 ms upstream: added p50 at most 1.5x nginx's",
      added_to(result, &Row::added_p50, 1.5));
  add("1,000 req/s, 20 ms upstream: added p99 at most 2x nginx's",
      added_to(result, &Row::added_p99, 2));
  add("closed loop, 64 connections: at least 25,000 req/s", throughput(result));
  add("closed loop, 64 connections: at least 0.5x nginx's req/s", throughput_ratio(result));
  add("256 streams: time to the first chunk at most 0.3 ms more (p99)", first_chunk(result));
  add("512 streams, 20 chunks/s: no stall above 100 ms, nothing lost", stalls(result));
  add("processor time at most 40 us a request", processor(result));
  add("at most 40 MB resident after 100,000 requests", memory(result));
  add("cold start to the first answer at most 50 ms", cold_start(result));
  add("idle: no processor time", idle(result));
  return verdicts;
}

}  // namespace hf::load
