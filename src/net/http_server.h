// An HTTP/1.1 server on a TCP port or a Unix socket, plain or over TLS, for answers that are whole
// or streamed.
//
// Everything runs on the loop's thread: handlers must not block. Limits bound every connection;
// what is over a limit is answered with 4xx and closed. A request that two readers could understand
// in two ways is refused.
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

#include "base/result.h"
#include "net/event_loop.h"

namespace hf::net {

struct Request {
  std::string method;  // Upper case.
  std::string path;    // Without the query string, percent-decoding not applied.
  std::string query;   // After '?', or empty.
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  std::string body;

  // First value of a header by lower-case name; empty if absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// The answer to one request. Exactly one of send() or begin()..end() must happen, now or later; a
// Responder that is destroyed before answers 500. Copies of the shared_ptr may outlive the
// connection: then everything is a no-op and is_open() is false.
class Responder {
 public:
  virtual ~Responder() = default;

  // A whole answer.
  virtual void send(int status, std::string_view content_type, std::string body,
                    Headers headers = {}) = 0;

  // A streamed answer (chunked). write() may be called often; small writes that happen before the
  // socket takes them are joined. `write` returns false when the client is gone or so slow that its
  // buffer limit is reached; the connection is then closed.
  virtual void begin(int status, std::string_view content_type, Headers headers = {}) = 0;
  virtual bool write(std::string_view bytes) = 0;
  virtual void end() = 0;

  // Calls `gone` once, in a later turn, if the connection ends before the answer is complete: the
  // client left or was too slow. Not called once the server is destroyed. A second call replaces
  // the first.
  virtual void on_close(std::move_only_function<void()> gone) = 0;
  [[nodiscard]] virtual bool is_open() const = 0;
};

using Handler = std::function<void(Request, std::shared_ptr<Responder>)>;

struct ServerLimits {
  std::uint32_t connections = 1024;
  std::uint32_t header_bytes = 32 * 1024;
  std::uint32_t header_count = 128;
  std::uint64_t body_bytes = 8 * 1024 * 1024;
  std::uint64_t buffered_bytes = 4 * 1024 * 1024;  // Written but not yet taken by the client.
  std::chrono::milliseconds header_time{10'000};   // From the first byte to the end of the headers;
                                                   // the same again for the TLS handshake.
  std::chrono::milliseconds body_time{30'000};
  std::chrono::milliseconds write_time{60'000};  // Until the client takes some of what is written.
  std::chrono::milliseconds idle_time{60'000};   // Between requests of a kept-alive connection.
};

// TLS 1.2 or later. Both files are PEM; the certificate's own authorities follow it in its file.
struct ServerTls {
  std::string certificate_file;
  std::string key_file;  // Without a password.
};

class HttpServer {
 public:
  // Listens at once. `address` is "HOST:PORT" (port 0: any free one), "[IPv6]:PORT" or "unix:PATH".
  // A stale socket file that nobody listens on is replaced; a live one is an error, as is a port
  // in use. With `tls` a client that does not speak TLS is closed. The loop must outlive the
  // server.
  static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, std::string_view address,
                                                    Handler handler, ServerLimits limits = {},
                                                    std::optional<ServerTls> tls = std::nullopt);
  virtual ~HttpServer() =
      default;  // Stops listening, closes every connection, removes the socket file.

  // Takes no more connections, closes those that wait for a request, and the others behind the
  // answer that they owe. Calls `done` once, in a later turn, when none is left. To be called once.
  virtual void drain(std::move_only_function<void()> done) = 0;

  // Reads these certificate files: connections from now on use what is in them. An error leaves
  // everything as it is, as it does for a server without TLS.
  virtual Result<void> reload_tls(const ServerTls& files) = 0;

  // As it really is: "127.0.0.1:41823" or "unix:/run/x.sock".
  [[nodiscard]] virtual std::string address() const = 0;
};

}  // namespace hf::net
