#include "load/bench.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "load/contender.h"
#include "load/process.h"
#include "load/stub.h"

namespace hf::load {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(10);
constexpr Duration kWarmUpMax = std::chrono::milliseconds(500);
constexpr Duration kDrainTime = std::chrono::seconds(5);
constexpr Duration kIdleTime = std::chrono::seconds(3);
constexpr Duration kMemoryTime = std::chrono::seconds(60);  // To reach kMemoryRequests.
constexpr Duration kMemorySlice = std::chrono::seconds(2);
constexpr int kStarts = 5;
constexpr double kMegabyte = 1024.0 * 1024.0;

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// A contender, with its process if it is one of this machine.
struct Peer {
  Who who = Who::kDirect;
  std::string name;
  Target target;
  std::optional<pid_t> pid;
  std::optional<Process> process;  // If started here.
  std::uint64_t answered = 0;      // Requests, since it started.
};

// What a contender did in one round.
struct Round {
  LoadResult load;
  std::optional<Duration> cpu;
};

std::optional<Duration> cpu_of(const Peer& peer) {
  return peer.pid ? cpu_time(*peer.pid) : std::nullopt;
}

std::optional<double> rss_of(const Peer& peer) {
  const auto bytes = peer.pid ? resident_bytes(*peer.pid) : std::nullopt;
  if (!bytes) return {};
  return static_cast<double>(*bytes) / kMegabyte;
}

double quantile_ms(const Histogram& histogram, double share) {
  return milliseconds(histogram.quantile(share));
}

// The median over the rounds of whatever `value` says of one.
template <class Value>
double median_of(const std::vector<Round>& rounds, Value&& value) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(value(round));
  return median(std::move(values));
}

// What the contender adds to the upstream alone, round by round, because rounds differ more than
// contenders do.
double added_ms(const std::vector<Round>& rounds, const std::vector<Round>& direct, double share) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    values.push_back(quantile_ms(rounds[i].load.latency, share) -
                     quantile_ms(direct[i].load.latency, share));
  }
  return median(std::move(values));
}

Row row_of(const std::vector<Round>& rounds, const std::vector<Round>& direct) {
  const auto latency = [&](double share) {
    return median_of(rounds, [&](const Round& r) { return quantile_ms(r.load.latency, share); });
  };
  const auto jitter = [&](double share) {
    return median_of(rounds, [&](const Round& r) { return quantile_ms(r.load.jitter, share); });
  };
  Row row;
  row.p50 = latency(0.5);
  row.p90 = latency(0.9);
  row.p99 = latency(0.99);
  row.p999 = latency(0.999);
  row.added_p50 = added_ms(rounds, direct, 0.5);
  row.added_p99 = added_ms(rounds, direct, 0.99);
  row.per_second = median_of(rounds, [](const Round& r) { return r.load.per_second; });
  row.jitter_p50 = jitter(0.5);
  row.jitter_p99 = jitter(0.99);
  Duration cpu{};
  std::uint64_t answered = 0;
  bool has_cpu = true;
  for (const Round& round : rounds) {
    row.requests += round.load.requests;
    row.errors += round.load.errors;
    if (row.first_error.empty()) row.first_error = round.load.first_error;
    row.stalls += round.load.stalls;
    row.chunks_lost += round.load.chunks_lost;
    row.chunks_doubled += round.load.chunks_doubled;
    answered += round.load.answered;
    has_cpu = has_cpu && round.cpu;
    cpu += round.cpu.value_or(Duration{});
  }
  if (has_cpu && answered > 0) {
    row.cpu_us = milliseconds(cpu) * 1000 / static_cast<double>(answered);
  }
  return row;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}

  Result<BenchResult> run() {
    raise_file_limit();
    HF_TRY(directory_, TempDirectory::create());
    HF_TRY(stub_, Stub::start(options_.stub_address));
    HF_CHECK(add_peers());
    for (Peer& peer : peers_) HF_CHECK(probe(peer));
    HF_CHECK(measure_loads());
    if (has(Mode::kStart)) {
      HF_CHECK(measure_idle());
      HF_CHECK(measure_start());
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool has(Mode mode) const {
    return options_.mode == Mode::kAll || options_.mode == mode;
  }
  void say(const std::string& text) const {
    if (options_.progress) options_.progress(text);
  }
  Peer& gateway() { return peers_.back(); }

  Result<void> add_peers() {
    HF_TRY(Target direct, target_of(fmt::format("http://{}/v1", stub_->address())));
    direct.model = "stub";
    peers_.push_back({.who = Who::kDirect,
                      .name = "the upstream",
                      .target = std::move(direct),
                      .pid = stub_->pid(),
                      .process = {}});
    if (options_.with_nginx && options_.mode != Mode::kStart) {
      say("starting nginx");
      HF_TRY(Contender nginx, start_nginx(directory_->path(), *stub_));
      add(Who::kNginx, "nginx", std::move(nginx));
    }
    if (options_.gateway) {
      peers_.push_back({.who = Who::kGateway,
                        .name = "the gateway",
                        .target = *options_.gateway,
                        .pid = options_.gateway_pid,
                        .process = {}});
      return {};
    }
    say("starting the gateway");
    HF_TRY(const std::string key, prepare_gateway(directory_->path(), options_.program, *stub_));
    HF_TRY(Contender own, start_gateway(directory_->path(), options_.program, key));
    add(Who::kGateway, "the gateway", std::move(own));
    return {};
  }

  void add(Who who, std::string name, Contender contender) {
    const pid_t pid = contender.process.pid();
    peers_.push_back({.who = who,
                      .name = std::move(name),
                      .target = std::move(contender.target),
                      .pid = pid,
                      .process = std::move(contender.process)});
  }

  // One request of each kind, so that a wrong key or model is told as such.
  Result<void> probe(Peer& peer) {
    for (const bool is_stream : {false, true}) {
      HF_TRY(const Answer answer, ask_once(peer.target, is_stream, now() + kAnswerTime));
      ++peer.answered;
      if (answer.status == 200 && answer.body.find(kTick) != std::string::npos) continue;
      return fail(
          Code::kUnavailable,
          fmt::format("{} answers with status {} and not what the upstream at {} says: {}",
                      peer.name, answer.status, stub_->address(), answer.body.substr(0, 300)));
    }
    return {};
  }

  Result<void> measure_loads() {
    const int connections = options_.connections;
    if (has(Mode::kOpen)) {
      HF_CHECK(measure({.kind = Kind::kOpen,
                        .connections = connections,
                        .rate = options_.rate,
                        .delay = options_.delay,
                        .rows = {}}));
    }
    if (has(Mode::kClosed)) {
      HF_CHECK(measure({.kind = Kind::kClosed, .connections = connections, .rows = {}}));
      HF_CHECK(measure_memory());
    }
    if (has(Mode::kStream)) {
      for (const int streams : {options_.streams, 2 * options_.streams}) {
        HF_CHECK(measure(
            {.kind = Kind::kStream, .connections = streams, .delay = options_.delay, .rows = {}}));
      }
    }
    return {};
  }

  Result<void> measure(Measurement measurement) {
    const bool is_stream = measurement.kind == Kind::kStream;
    stub_->set({.delay = measurement.delay,
                .chunks = is_stream ? kStreamChunks : 1,
                .gap = is_stream ? kStreamGap : Duration{}});
    std::vector<std::vector<Round>> rounds(peers_.size());
    for (int i = 0; i < options_.rounds; ++i) {
      for (std::size_t p = 0; p < peers_.size(); ++p) {
        say(fmt::format("round {} of {}: {}, {} connections", i + 1, options_.rounds,
                        peers_[p].name, measurement.connections));
        HF_TRY(Round round,
               measure_once(peers_[p], measurement, options_.length / options_.rounds));
        rounds[p].push_back(std::move(round));
      }
    }
    for (std::size_t p = 0; p < peers_.size(); ++p) {
      auto& row = measurement.rows[static_cast<std::size_t>(peers_[p].who)];
      row = row_of(rounds[p], rounds[0]);
      row->rss_mb = rss_of(peers_[p]);
    }
    result_.measurements.push_back(std::move(measurement));
    return {};
  }

  Result<Round> measure_once(Peer& peer, const Measurement& what, Duration length) {
    LoadOptions load{.loop = what.kind == Kind::kOpen ? Loop::kOpen : Loop::kClosed,
                     .connections = what.connections,
                     .rate = what.rate,
                     .length = length,
                     .warm_up = std::min(kWarmUpMax, length / 5),
                     .drain = kDrainTime,
                     .stop = options_.stop};
    if (what.kind == Kind::kStream) {
      load.chunks = kStreamChunks;
      load.gap = kStreamGap;
      load.spread = std::min(what.delay + kStreamGap * int{kStreamChunks}, length);
      load.drain += load.spread;
    }
    const auto before = cpu_of(peer);
    auto done = run_load(peer.target, load);
    if (!done) {
      return fail(done.error().code, fmt::format("{}: {}", peer.name, done.error().message));
    }
    const auto after = cpu_of(peer);
    peer.answered += done->answered;
    Round round{.load = *std::move(done), .cpu = {}};
    if (before && after) round.cpu = *after - *before;
    return round;
  }

  Result<void> measure_memory() {
    Peer& peer = gateway();
    if (!peer.pid) return {};
    say("the gateway's memory");
    const Measurement closed{
        .kind = Kind::kClosed, .connections = options_.connections, .rows = {}};
    for (const TimePoint until = now() + kMemoryTime;
         peer.answered < kMemoryRequests && now() < until;) {
      HF_CHECK(measure_once(peer, closed, kMemorySlice));
    }
    if (const auto mb = rss_of(peer)) result_.memory = {peer.answered, *mb};
    return {};
  }

  Result<void> measure_idle() {
    const Peer& peer = gateway();
    if (!peer.pid) return {};
    say("the gateway without requests");
    HF_CHECK(pause(kWarmUpMax));
    const auto before = cpu_of(peer);
    HF_CHECK(pause(kIdleTime));
    const auto after = cpu_of(peer);
    if (!before || !after) return fail(Code::kUnavailable, "The gateway has ended.");
    const double seconds = std::chrono::duration<double>(kIdleTime).count();
    result_.idle_cpu_ms = milliseconds(*after - *before) / seconds;
    return {};
  }

  Result<void> measure_start() {
    if (options_.gateway) return {};
    stub_->set({});
    HF_TRY(const TempDirectory directory, TempDirectory::create());
    HF_TRY(const std::string key, prepare_gateway(directory.path(), options_.program, *stub_));
    std::vector<double> times;
    for (int i = 0; i <= kStarts; ++i) {
      HF_CHECK(pause({}));
      say(fmt::format("start {} of {}", i + 1, kStarts + 1));
      const TimePoint begin = now();
      HF_TRY(const Contender own, start_gateway(directory.path(), options_.program, key));
      HF_TRY(const Answer answer, ask_once(own.target, false, now() + kAnswerTime));
      times.push_back(milliseconds(now() - begin));
      if (answer.status != 200) {
        return fail(Code::kUnavailable, "The gateway's first answer is an error: " + answer.body);
      }
    }
    const double first = times.front();
    times.erase(times.begin());
    result_.cold_start = {
        .first_ms = first, .median_ms = median(times), .worst_ms = std::ranges::max(times)};
    return {};
  }

  // Does nothing for a while.
  Result<void> pause(Duration length) const {
    const TimePoint until = now() + length;
    do {
      if (options_.stop != nullptr && *options_.stop) return fail(Code::kCancelled, "Stopped.");
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
      if (left > 0) ::poll(nullptr, 0, static_cast<int>(left));
    } while (now() < until);
    return {};
  }

  const BenchOptions& options_;
  BenchResult result_;
  // The processes in `peers_` end first, then the stub, and then their files go.
  std::optional<TempDirectory> directory_;
  std::unique_ptr<Stub> stub_;
  std::vector<Peer> peers_;  // The upstream first, the gateway last.
};

}  // namespace

Result<BenchResult> run_bench(const BenchOptions& options) {
  return Bench(options).run();
}

}  // namespace hf::load
