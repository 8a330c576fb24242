// Many HTTP calls at once: pooled connections, four timeouts, streaming bodies.
//
// Calls and callbacks happen on the loop's thread. What goes to a Unix socket, to localhost or to
// the number of a host without TLS is exchanged there, too; the rest goes through libcurl, which
// has a thread of its own behind. TLS certificates are verified always, against the system's
// authorities or those of the environment's SSL_CERT_FILE. Proxies come from the environment except
// for loopback and Unix sockets. Redirects are not followed. HTTP/1.1. A request with a body is
// never sent twice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "net/event_loop.h"

namespace hf::net {

struct Call {
  std::string method = "POST";
  std::string url;  // http or https; with `unix_socket` the host part is only the Host header.
  std::string unix_socket = {};                                   // Path, or empty for TCP.
  std::vector<std::pair<std::string, std::string>> headers = {};  // May hold secrets: never logged.
  std::string body = {};

  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds first_byte_timeout{120'000};  // From the start to the first body byte.
  std::chrono::milliseconds gap_timeout{60'000};          // Between body bytes.
  std::chrono::milliseconds total_timeout{600'000};
  std::uint64_t body_limit = 16 * 1024 * 1024;  // Of the answer; more is an error.
};

enum class CallError : std::uint8_t {
  kNone,
  kConnect,         // Resolve, connect or TLS failed: nothing was sent.
  kConnectTimeout,  // The four timeouts of a Call.
  kFirstByteTimeout,
  kGapTimeout,
  kTotalTimeout,
  kCut,  // The connection broke after something was sent.
  kTooLarge,
  kProtocol,  // Not HTTP.
};

struct CallResult {
  CallError error = CallError::kNone;
  std::string message = {};                  // One clause for people; empty if there was no error.
  int status = 0;                            // HTTP status, 0 if none arrived.
  std::optional<Duration> retry_after = {};  // From the header, in seconds or as an HTTP date.
  std::string content_type = {};
};

// The head of an answer, without those of interim answers before it.
struct CallHead {
  int status = 0;
  std::string content_type = {};
  // Names in lower case: x-request-id, openai-processing-ms, retry-after*, x-ratelimit-*.
  std::vector<std::pair<std::string, std::string>> headers = {};
};

struct CallListener {
  // The head, as soon as it is complete: once, before the first piece of the body.
  std::move_only_function<void(const CallHead&)> on_head = {};
  // A piece of the body, in order. `status` is known by then. May be empty (then ignored).
  std::move_only_function<void(int status, std::string_view bytes)> on_bytes = {};
  // The last callback, exactly once, unless the call was cancelled.
  std::move_only_function<void(const CallResult&)> on_done = {};
};

// Which calls go through libcurl: those that need it, or all, to test and measure that way.
enum class Transport : std::uint8_t { kShortest, kCurl };

class HttpClient {
 public:
  // The loop must outlive the client.
  static std::unique_ptr<HttpClient> create(EventLoop& loop,
                                            Transport transport = Transport::kShortest);
  virtual ~HttpClient() = default;  // Cancels everything; no callback happens afterwards.

  using Id = std::uint64_t;
  // No callback happens before this returns. Callbacks may start and cancel calls, also their own,
  // and may destroy the client.
  virtual Id start(Call call, CallListener listener) = 0;
  // Closes the connection; no callback of this call happens after this returns.
  virtual void cancel(Id id) = 0;
  // For a call whose answer is known to be complete: no callback of it happens after this returns,
  // but its connection is given a moment to end the answer, so that it may serve again.
  virtual void release(Id id) = 0;
};

}  // namespace hf::net
