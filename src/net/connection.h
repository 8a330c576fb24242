// One accepted connection of the HTTP server: reads requests, hands each to the handler, writes
// the answer, one request after the other.
//
// At any time at most one read and one write are under way. Reading goes on while an answer is
// pending, so that a client that leaves is noticed and a pipelined request waits in the buffer.
// Only http_server.cc and connection.cc include this: it brings in Asio and Beast. Loop thread
// only.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"
#include "net/http_text.h"
#include "net/stream.h"

namespace hf::net {

using SteadyTimer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

class Connection;

// What the connections of one server share. It may outlive the server by the end of a turn.
struct Hub {
  Handler handler;
  ServerLimits limits;
  Executor executor;
  std::shared_ptr<boost::asio::ssl::context> tls = {};  // For new connections; none: plain.
  std::set<std::shared_ptr<Connection>> connections = {};
  std::uint32_t refused = 0;                     // How many of them are there only to be told so.
  bool is_draining = false;                      // No connection is kept for a further request.
  std::move_only_function<void()> drained = {};  // To be called when it has no connection left.
  DateText date = {};
  bool is_alive = true;  // False once the server is destroyed: nobody is called back any more.
};

// Calls `drained` in a later turn if it is due.
void tell_if_drained(const std::shared_ptr<Hub>& hub);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, std::shared_ptr<Hub> hub);

  // Starts reading requests.
  void serve();
  // Answers 503 without reading and closes.
  void refuse();
  // Closes unless an answer is owed or a request is on its way.
  void close_if_idle() {
    if (state_ <= State::kIdle) close();
  }
  // Closes at once; the pending answer's on_close is called in a later turn.
  void close();

  // What a Responder does, for the exchange it belongs to.
  [[nodiscard]] bool is_answering(std::uint64_t exchange) const {
    return state_ == State::kAnswering && exchange == exchange_;
  }
  void send(int status, std::string_view content_type, std::string_view body,
            const Headers& headers);
  void begin(int status, std::string_view content_type, const Headers& headers);
  bool write(std::string_view bytes);
  void end();
  void on_close(std::move_only_function<void()> gone) { gone_ = std::move(gone); }
  // The handler dropped its Responder: 500, or a cut if the answer has begun.
  void give_up();

 private:
  enum class State {
    kHandshake,  // TLS is being agreed on.
    kIdle,       // Between requests.
    kHead,       // Some bytes of a request are here.
    kBody,       // The headers are here.
    kAnswering,  // The handler has the request.
    kFlushing,   // The answer is complete and on its way.
    kLingering,  // Our side is shut; what still comes is thrown away, so that no reset overtakes
                 // the answer.
    kClosed,
  };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void shake_hands();
  void begin();
  void read();
  void on_read(const boost::system::error_code& error, std::size_t count, bool was_secure);
  void advance();
  bool parse();
  [[nodiscard]] bool has_folded_line();
  void on_head();
  void dispatch();
  void reject(int status, std::string_view message);
  void put_head(int status, std::string_view content_type, const Headers& headers,
                std::optional<std::size_t> length);
  void flush();
  void on_written(const boost::system::error_code& error, std::size_t count);
  void complete();
  void finish();
  void linger();
  void set_deadline(std::chrono::milliseconds from_now);
  void arm();
  void on_deadline();

  Stream stream_;
  SteadyTimer timer_;
  const std::shared_ptr<Hub> hub_;
  State state_ = State::kIdle;
  bool is_refused_ = false;

  std::vector<char> chunk_;  // Where the read under way puts its bytes.
  boost::beast::flat_buffer input_;
  std::size_t checked_ = 0;  // So much of it was looked at for folded lines.
  bool is_reading_ = false;
  bool is_at_end_ = false;  // The client has sent its last byte.
  std::optional<Parser> parser_;
  Request request_;

  std::uint64_t exchange_ = 0;  // Number of the current request.
  bool is_head_request_ = false;
  bool is_old_http_ = false;  // HTTP/1.0: no chunks.
  bool keep_alive_ = false;
  bool has_begun_ = false;
  std::move_only_function<void()> gone_;

  std::string outgoing_;  // Being written, from outgoing_at_ on.
  std::size_t outgoing_at_ = 0;
  bool is_writing_ = false;
  std::string pending_;  // Waits for outgoing_ to leave.

  std::chrono::steady_clock::time_point deadline_;
  bool is_armed_ = false;
};

}  // namespace hf::net
