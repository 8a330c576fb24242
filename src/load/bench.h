// The measurements of `hybridflow bench serve`: what a gateway adds between a client and its
// upstream, against the upstream alone and, if wanted, against nginx as a plain proxy, in the same
// run and in turns.
//
// Thread safety: none; run it in a process with one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "load/client.h"

namespace hf::load {

enum class Mode { kAll, kOpen, kClosed, kStream, kStart };
enum class Who { kDirect, kNginx, kGateway };
inline constexpr std::array kContenders{Who::kDirect, Who::kNginx, Who::kGateway};

struct BenchOptions {
  Mode mode = Mode::kAll;
  bool with_nginx = false;
  std::optional<Target> gateway;            // None: `program serve` is started.
  std::optional<std::int32_t> gateway_pid;  // Of a given gateway on this machine, for its costs.
  std::string program;                      // With the subcommand `serve`.
  std::string stub_address = "127.0.0.1:0";
  double rate = 1000;                          // Open loop, requests per second.
  int connections = 64;                        // Open and closed loop.
  int streams = 256;                           // Then twice as many.
  Duration length = std::chrono::seconds(10);  // Of each measurement per contender, all rounds.
  int rounds = 3;
  Duration delay = std::chrono::milliseconds(20);  // Of the upstream, but for the closed loop.
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view)> progress;  // Told what begins.
};

// One contender in one measurement: medians over the rounds, in milliseconds, of quantiles.
struct Row {
  std::uint64_t requests = 0;  // Of all rounds.
  std::uint64_t errors = 0;
  std::string first_error;
  double p50 = 0, p90 = 0, p99 = 0, p999 = 0;
  double added_p50 = 0, added_p99 = 0;  // Over the direct upstream in the same round.
  double per_second = 0;
  std::optional<double> cpu_us;           // Per request; per stream for streams.
  std::optional<double> rss_mb;           // At the end.
  double jitter_p50 = 0, jitter_p99 = 0;  // Streams: by how much gaps differed from the plan.
  std::uint64_t stalls = 0, chunks_lost = 0, chunks_doubled = 0;  // Of all rounds.
};

enum class Kind { kOpen, kClosed, kStream };

struct Measurement {
  Kind kind = Kind::kOpen;
  int connections = 0;
  double rate = 0;
  Duration delay{};
  std::array<std::optional<Row>, kContenders.size()> rows;  // By Who.

  [[nodiscard]] const std::optional<Row>& row(Who who) const {
    return rows[static_cast<std::size_t>(who)];
  }
};

// From fork and exec to the end of the first answer.
struct ColdStart {
  double first_ms = 0;   // The very first, which makes the state's files.
  double median_ms = 0;  // Of those after it.
  double worst_ms = 0;
};

struct Memory {
  std::uint64_t requests = 0;  // That the gateway has answered by then.
  double rss_mb = 0;
};

struct BenchResult {
  std::vector<Measurement> measurements;
  std::optional<ColdStart> cold_start;
  std::optional<double> idle_cpu_ms;  // Of processor time in a second without requests.
  std::optional<Memory> memory;
};

inline constexpr std::uint32_t kStreamChunks = 20;
inline constexpr Duration kStreamGap = std::chrono::milliseconds(50);
// After this many requests the gateway's memory is looked at.
inline constexpr std::uint64_t kMemoryRequests = 100'000;

Result<BenchResult> run_bench(const BenchOptions& options);

}  // namespace hf::load
