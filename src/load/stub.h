// The upstream of every measurement: answers chat completions after a set delay, whole or as a
// stream with a set pace. Its answers are fixed, so that it costs as little as a server can.
//
// It runs in a process of its own, so that its work is counted apart, and ends with this one.
//
// Thread safety: none.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "load/process.h"

namespace hf::load {

// The word that every chunk of a stream carries: whoever counts it knows what has arrived.
inline constexpr std::string_view kTick = "tick";

struct StubPace {
  Duration delay{};          // From the request to the answer or a stream's first chunk.
  std::uint32_t chunks = 1;  // Of a stream.
  Duration gap{};            // Between them, by a fixed schedule.
};

class Stub {
 public:
  // Starts it at HOST:PORT; port 0: any.
  static Result<std::unique_ptr<Stub>> start(std::string_view address);

  // Requests that come from now on are answered so.
  void set(const StubPace& pace);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  // HOST:PORT.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  // In memory that both processes see.
  struct Shared {
    std::atomic<std::int64_t> delay{0};
    std::atomic<std::int64_t> gap{0};
    std::atomic<std::uint32_t> chunks{1};
  };
  struct Unmap {
    void operator()(Shared* shared) const;
  };
  class Server;

  Stub() = default;

  std::unique_ptr<Shared, Unmap> shared_;
  Process process_;
  std::uint16_t port_ = 0;
  std::string address_;
};

}  // namespace hf::load
