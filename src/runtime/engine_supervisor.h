// Runs one local engine as a child process: starts it on demand, watches its health while it has
// work, restarts it with growing pauses when it dies, and takes it down with this program.
//
// Thread safety: none; everything happens on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "net/child_process.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace hf {

// Where an engine listens: exactly one of the two is set.
struct EngineAddress {
  std::string unix_socket;
  std::string host_port;
};

class EngineSupervisor {
 public:
  struct Options {
    std::string program;     // This binary.
    std::string model_path;  // A resolved .gguf.
    std::string name;        // Of the endpoint.
    std::string model_name;  // By which requests ask for the model.
    EngineConfig engine;
    std::optional<LabConfig> lab;   // A lab listens on a loopback port, others on a Unix socket.
    std::string runtime_directory;  // For its socket and log; private to this user.
    std::chrono::milliseconds health_period{5'000};
    std::uint32_t health_misses_max = 3;
    std::chrono::milliseconds start_time{30'000};  // To say where it listens; loading comes after.
  };

  EngineSupervisor(net::EventLoop& loop, net::HttpClient& client, Options options);
  ~EngineSupervisor();
  EngineSupervisor(const EngineSupervisor&) = delete;
  EngineSupervisor& operator=(const EngineSupervisor&) = delete;

  // Calls `then` once with the address, in this turn if the engine is up, else when it is or is
  // known not to come. kInvalidInput: starting it again cannot help; kUnavailable: it may.
  void when_up(std::move_only_function<void(Result<EngineAddress>)> then);

  // Health is checked only between these two, so that an idle program uses no CPU.
  void work_started();
  void work_ended();

  // For `doctor` and tests: 0 while it is not running.
  [[nodiscard]] int pid() const;
  [[nodiscard]] std::uint32_t starts() const { return starts_; }

 private:
  void start();
  void on_line(std::string_view line);
  void on_exit(int code);
  void answer_waiting(const Result<EngineAddress>& result);
  void check_health();
  void on_health(bool is_healthy);
  void replace_child();
  [[nodiscard]] std::string last_log_line() const;

  net::EventLoop& loop_;
  net::HttpClient& client_;
  const Options options_;
  const std::string stem_;  // Of the names of its socket and its log.
  std::unique_ptr<net::ChildProcess> child_;
  std::optional<EngineAddress> address_;
  std::vector<std::move_only_function<void(Result<EngineAddress>)>> waiting_;
  std::unique_ptr<net::EventLoop::Timer> start_timer_;
  std::unique_ptr<net::EventLoop::Timer> restart_timer_;
  std::unique_ptr<net::EventLoop::Timer> health_timer_;
  std::optional<net::HttpClient::Id> health_call_;
  std::optional<Error> hopeless_;  // A start that would fail again, for example a damaged file.
  TimePoint started_at_{};
  std::uint32_t starts_ = 0;
  std::uint32_t failures_ = 0;  // In a row, without a minute of life between them.
  std::uint32_t health_misses_ = 0;
  std::uint32_t work_ = 0;
};

struct RuntimeOptions;

// A supervisor for an endpoint with an engine, after its model was found on this machine.
// kInvalidInput: the model is missing, or this build has no engine. REQUIRES: endpoint.engine.
Result<std::unique_ptr<EngineSupervisor>> make_engine_supervisor(net::EventLoop& loop,
                                                                 net::HttpClient& client,
                                                                 const EndpointConfig& endpoint,
                                                                 const RuntimeOptions& options);

// A call to an engine: its url ends in "/v1".
net::Call engine_call(const EngineAddress& address);

}  // namespace hf
