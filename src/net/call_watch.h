// What every way of making a call shares: when it has taken too long, and what its head says.
//
// Pure but for one thing: a date in Retry-After is compared with the system's clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace hf::net {

using SteadyTime = std::chrono::steady_clock::time_point;

// The timeouts of a call, but for that of connecting.
class CallWatch {
 public:
  CallWatch(const Call& call, SteadyTime started);

  // A piece of the body has come.
  void take_bytes(SteadyTime now) {
    last_byte_ = now;
    has_begun_ = true;
  }
  // Makes `last` the latest moment.
  void end_until(SteadyTime last);

  // When the next of first-byte, gap and total timeout is due, as things stand.
  [[nodiscard]] SteadyTime deadline() const;
  // Error and message for a call whose deadline has passed.
  [[nodiscard]] CallResult timed_out() const;

 private:
  const SteadyTime started_;
  const std::chrono::milliseconds first_byte_timeout_;
  const std::chrono::milliseconds gap_timeout_;
  std::chrono::milliseconds total_timeout_;
  SteadyTime last_byte_;
  bool has_begun_ = false;
};

// Within what a clock can add.
[[nodiscard]] std::chrono::milliseconds bounded(std::chrono::milliseconds timeout);
[[nodiscard]] CallResult connect_timed_out(std::chrono::milliseconds timeout);

// False if the text would end a line of a request.
[[nodiscard]] bool is_one_line(std::string_view text);
// Whether ASCII texts are the same but for the case.
[[nodiscard]] bool is_same_name(std::string_view a, std::string_view b);
// Adds a header to the head if it is one that callers look at.
void keep_header(CallHead& head, std::string_view name, std::string_view value);
// From the header's value, in seconds or as an HTTP date; nothing if it is neither.
[[nodiscard]] std::optional<Duration> read_retry_after(const std::string& value);

}  // namespace hf::net
