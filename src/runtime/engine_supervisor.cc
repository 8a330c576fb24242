#include "runtime/engine_supervisor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "catalogue/model.h"
#include "catalogue/store.h"
#include "runtime/runtime.h"

namespace hf {
namespace {

constexpr std::string_view kListening = "listening on ";
constexpr std::string_view kUnixPrefix = "unix:";
constexpr int kBadInput = 2;  // Exit code of an engine that would fail the same way again.

constexpr Duration kRestartPauseFirst = std::chrono::milliseconds(250);
constexpr Duration kRestartPauseMax = std::chrono::seconds(15);
constexpr Duration kLongLife = std::chrono::minutes(1);
constexpr std::uint32_t kFailuresReported = 3;

Duration restart_pause(std::uint32_t failures) {
  Duration pause = kRestartPauseFirst;
  for (std::uint32_t i = 1; i < failures && pause < kRestartPauseMax; ++i) pause *= 2;
  return std::min(pause, kRestartPauseMax);
}

// Those of the supervisors that live; of the loop's thread.
std::set<std::string>& stems_in_use() {
  static std::set<std::string> stems;
  return stems;
}

// Named after this process, so that what a killed one left behind is recognised; after a new
// configuration two engines of one name may live side by side.
std::string take_stem(const EngineSupervisor::Options& options) {
  for (int number = 0;; ++number) {
    std::string stem = fmt::format("{}/{}-{}", options.runtime_directory, ::getpid(), options.name);
    if (number > 0) stem += fmt::format(".{}", number);
    if (stems_in_use().insert(stem).second) return stem;
  }
}

std::vector<std::string> arguments_of(const EngineSupervisor::Options& options,
                                      const std::string& socket) {
  std::vector<std::string> arguments{options.program,    "engine",
                                     options.model_path, "--parent-watch",
                                     "--name",           options.model_name,
                                     "--slots",          fmt::format("{}", options.engine.slots),
                                     "--context",        fmt::format("{}", options.engine.context)};
  const auto add = [&](std::string flag, std::string value) {
    arguments.push_back(std::move(flag));
    arguments.push_back(std::move(value));
  };
  if (options.engine.threads) add("--threads", fmt::format("{}", *options.engine.threads));
  if (!options.lab) {
    add("--listen", fmt::format("unix:{}", socket));
    return arguments;
  }
  add("--listen", "127.0.0.1:0");
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.lab->round_trip);
  add("--lab-round-trip", fmt::format("{}", milliseconds.count()));
  add("--lab-rate", fmt::format("{}", options.lab->tokens_per_second));
  add("--lab-failure-rate", fmt::format("{}", options.lab->failure_rate));
  if (!options.lab->cache.empty()) add("--lab-cache", options.lab->cache);
  return arguments;
}

}  // namespace

EngineSupervisor::EngineSupervisor(net::EventLoop& loop, net::HttpClient& client, Options options)
    : loop_(loop), client_(client), options_(std::move(options)), stem_(take_stem(options_)) {}

EngineSupervisor::~EngineSupervisor() {
  if (health_call_) client_.cancel(*health_call_);
  child_.reset();
  std::error_code ignored;
  std::filesystem::remove(stem_ + ".sock", ignored);
  std::filesystem::remove(stem_ + ".log", ignored);
  stems_in_use().erase(stem_);
}

int EngineSupervisor::pid() const {
  return child_ ? child_->pid() : 0;
}

void EngineSupervisor::when_up(std::move_only_function<void(Result<EngineAddress>)> then) {
  if (hopeless_) return then(std::unexpected(*hopeless_));
  if (address_) return then(*address_);
  waiting_.push_back(std::move(then));
  if (!child_ && !restart_timer_) start();
}

void EngineSupervisor::start() {
  restart_timer_.reset();
  ++starts_;
  started_at_ = loop_.now();
  auto child =
      net::ChildProcess::start(loop_, arguments_of(options_, stem_ + ".sock"), stem_ + ".log",
                               {.on_line = [this](std::string_view line) { on_line(line); },
                                .on_exit = [this](int code) { on_exit(code); }});
  if (!child) return answer_waiting(std::unexpected(child.error()));
  child_ = *std::move(child);
  start_timer_ = loop_.at(loop_.now() + options_.start_time, [this] {
    auto keep = std::move(start_timer_);
    replace_child();
  });
}

void EngineSupervisor::on_line(std::string_view line) {
  if (address_ || !line.starts_with(kListening)) return;
  line.remove_prefix(kListening.size());
  if (line.starts_with(kUnixPrefix)) {
    address_ =
        EngineAddress{.unix_socket = std::string(line.substr(kUnixPrefix.size())), .host_port = {}};
  } else {
    address_ = EngineAddress{.unix_socket = {}, .host_port = std::string(line)};
  }
  start_timer_.reset();
  health_misses_ = 0;
  check_health();
  answer_waiting(*address_);
}

void EngineSupervisor::on_exit(int code) {
  address_.reset();
  start_timer_.reset();
  health_timer_.reset();
  if (health_call_) client_.cancel(*std::exchange(health_call_, std::nullopt));
  failures_ = loop_.now() - started_at_ >= kLongLife ? 1 : failures_ + 1;
  const std::string why = fmt::format("The engine of endpoint '{}' ended (code {}): {}",
                                      options_.name, code, last_log_line());
  // The child must not be destroyed inside its own callback.
  loop_.post([child = std::move(child_)] {});
  if (code == kBadInput) {
    hopeless_ = Error{Code::kInvalidInput, why};
    return answer_waiting(std::unexpected(*hopeless_));
  }
  if (failures_ >= kFailuresReported) answer_waiting(fail(Code::kUnavailable, why));
  restart_timer_ = loop_.at(loop_.now() + restart_pause(failures_), [this] {
    auto keep = std::move(restart_timer_);
    if (!waiting_.empty() || work_ > 0) start();
  });
}

void EngineSupervisor::answer_waiting(const Result<EngineAddress>& result) {
  for (auto& then : std::exchange(waiting_, {})) then(result);
}

void EngineSupervisor::work_started() {
  ++work_;
  if (work_ == 1) check_health();
}

void EngineSupervisor::work_ended() {
  --work_;
  if (work_ == 0) health_timer_.reset();
}

void EngineSupervisor::check_health() {
  if (work_ == 0 || !address_ || health_timer_ || health_call_) return;
  health_timer_ = loop_.at(loop_.now() + options_.health_period, [this] {
    auto keep = std::move(health_timer_);
    if (!address_) return;
    net::Call call{.method = "GET",
                   .url = fmt::format("http://{}/health",
                                      address_->host_port.empty() ? "engine" : address_->host_port),
                   .unix_socket = address_->unix_socket,
                   .headers = {},
                   .body = {},
                   .connect_timeout = options_.health_period,
                   .first_byte_timeout = options_.health_period,
                   .gap_timeout = options_.health_period,
                   .total_timeout = options_.health_period};
    health_call_ =
        client_.start(std::move(call), {.on_bytes = [](int, std::string_view) {},
                                        .on_done =
                                            [this](const net::CallResult& result) {
                                              health_call_.reset();
                                              on_health(result.error == net::CallError::kNone);
                                            }});
  });
}

void EngineSupervisor::on_health(bool is_healthy) {
  health_misses_ = is_healthy ? 0 : health_misses_ + 1;
  if (health_misses_ < options_.health_misses_max) return check_health();
  health_misses_ = 0;
  replace_child();
}

// It is alive but does not answer: only a new one helps. Its calls fail when the sockets close.
void EngineSupervisor::replace_child() {
  child_.reset();
  on_exit(128 + SIGKILL);
}

std::string EngineSupervisor::last_log_line() const {
  std::ifstream log(stem_ + ".log", std::ios::binary);
  std::string last;
  for (std::string line; std::getline(log, line);) {
    if (!line.empty()) last = line;
  }
  constexpr std::size_t kShown = 300;
  if (last.size() > kShown) last.resize(kShown);
  return last.empty() ? fmt::format("see {}", stem_ + ".log") : last;
}

Result<std::unique_ptr<EngineSupervisor>> make_engine_supervisor(net::EventLoop& loop,
                                                                 net::HttpClient& client,
                                                                 const EndpointConfig& endpoint,
                                                                 const RuntimeOptions& options) {
  const std::string& name = endpoint.endpoint.name;
#ifdef HF_ENGINE
  const auto model = resolve_model(catalogue(), options.model_directory, endpoint.engine->model);
  if (!model) return fail(Code::kInvalidInput, model.error().message);
  return std::make_unique<EngineSupervisor>(
      loop, client,
      EngineSupervisor::Options{.program = options.program,
                                .model_path = *model,
                                .name = name,
                                .model_name = endpoint.model,
                                .engine = *endpoint.engine,
                                .lab = endpoint.lab,
                                .runtime_directory = options.runtime_directory});
#else
  static_cast<void>(loop), static_cast<void>(client), static_cast<void>(options);
  return fail(
      Code::kInvalidInput,
      fmt::format("Endpoint '{}' needs the local engine, which this build does not have; give it a "
                  "'url' or build with -DHF_ENGINE=ON.",
                  name));
#endif
}

net::Call engine_call(const EngineAddress& address) {
  net::Call call;
  call.url = fmt::format("http://{}/v1", address.host_port.empty() ? "engine" : address.host_port);
  call.unix_socket = address.unix_socket;
  return call;
}

}  // namespace hf
