// Sends requests to one address and measures what comes back, in one thread.
//
// By a schedule (open loop): request k is due at a fixed moment whatever became of those before it,
// and its latency counts from that moment, so that a server that pauses pays for everything that it
// kept waiting. In a loop (closed): every connection sends its next request when it has the answer.
// A stream is a closed loop whose answers arrive in pieces.
//
// Thread safety: none.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/histogram.h"
#include "load/socket.h"

namespace hf::load {

// Who answers, and how to ask it.
struct Target {
  Address address;
  std::string host;    // For the Host header.
  std::string prefix;  // Of paths, "/v1".
  std::string model;
  std::string key;  // Sent as a bearer token; may be empty.
};

// From http://HOST[:PORT]/v1, as clients of OpenAI's protocol take it.
Result<Target> target_of(std::string_view url);

// A chat completion with a short question as it goes over the wire.
std::string chat_request(const Target& target, bool is_stream);

enum class Loop { kOpen, kClosed };

struct LoadOptions {
  Loop loop = Loop::kClosed;
  int connections = 1;
  double rate = 0;     // Open: requests per second.
  Duration length{};   // No request is due after it.
  Duration warm_up{};  // What is due before it is sent but not counted.
  Duration spread{};   // Closed: the first requests are spread evenly over this time.
  Duration drain = std::chrono::seconds(5);  // Then, for what is under way.
  std::uint32_t chunks = 0;                  // Of each answer; 0: it is not a stream.
  Duration gap{};                            // Planned between them.
  // Set, by a signal perhaps: the run ends soon, with kCancelled. May be null.
  const std::atomic<bool>* stop = nullptr;
};

struct LoadResult {
  std::uint64_t requests = 0;  // Due in the counted time, answered or not.
  std::uint64_t errors = 0;    // Of them: no answer, or another one than 200 and whole.
  std::uint64_t answered = 0;  // In all, those of the warm-up, too.
  std::string first_error;
  double per_second = 0;  // Good answers.
  Histogram latency;      // Of all requests. Streams: until the first chunk.
  Histogram jitter;       // By how much each gap between chunks differed from the plan.
  std::uint64_t stalls = 0;
  std::uint64_t chunks_lost = 0;
  std::uint64_t chunks_doubled = 0;
};

// A gap between two chunks above this is a stall.
inline constexpr Duration kStall = std::chrono::milliseconds(100);

// Takes `length` plus at most `drain` and the time to connect. Fails if nobody answers there.
Result<LoadResult> run_load(const Target& target, const LoadOptions& options);

struct Answer {
  int status = 0;
  std::string body;
};
// One request of its own; retries to connect until `until`.
Result<Answer> ask_once(const Target& target, bool is_stream, TimePoint until);

}  // namespace hf::load
