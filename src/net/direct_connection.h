// A connection of the client that the loop's own thread drives: one exchange after the other.
//
// It is always being read, between exchanges, too, so that a server that closes is noticed. At most
// one read and one write are under way. Loop thread only.
#pragma once

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/call_watch.h"
#include "net/direct_route.h"
#include "net/http_client.h"
#include "net/inflater.h"
#include "net/response_parser.h"

namespace hf::net {

// One call and what has come of it so far.
struct DirectExchange {
  DirectExchange(HttpClient::Id number, Call&& made, CallListener&& told, DirectRoute&& way,
                 SteadyTime now);

  // Forgets the listener, at the latest when it returns.
  void silence();

  const HttpClient::Id id;
  Call call;
  CallListener listener;
  DirectRoute route;
  const SteadyTime started;
  CallWatch watch;
  ResponseParser parser;
  std::unique_ptr<Inflater> inflater = {};  // If the body is compressed.
  std::uint64_t received = 0;               // Of the body.
  bool is_head_told = false;
  bool is_silent = false;
  bool is_telling = false;  // A callback is under way.
};

class DirectConnection : public std::enable_shared_from_this<DirectConnection> {
 public:
  using Executor = boost::asio::io_context::executor_type;
  using Place = std::list<std::shared_ptr<DirectConnection>>::iterator;

  // What a connection tells its client, which outlives it or calls close() on it.
  class Owner {
   public:
    // The exchange is over. Before its last callback.
    virtual void forget(HttpClient::Id id) = 0;
    // The connection waits for another one, or is about to be closed. It may be gone afterwards
    // if nobody holds it.
    virtual void park(DirectConnection& connection) = 0;
    virtual void drop(DirectConnection& connection) = 0;
    // Something has to be done about it at this moment or later.
    virtual void arm(SteadyTime deadline) = 0;
    // Nothing of the request was acted on: it may be made once more, elsewhere.
    virtual void repeat(std::shared_ptr<DirectExchange> exchange) = 0;

    // Before an exchange begins on a new connection: whether another one has become free meanwhile
    // and carries it.
    virtual bool take_over(const std::shared_ptr<DirectExchange>& exchange) = 0;

   protected:
    ~Owner() = default;
  };

  DirectConnection(const Executor& executor, Owner& owner, std::string place);

  // Begins the exchange; what becomes of it is told in a later turn.
  void connect(std::shared_ptr<DirectExchange> exchange);
  // The same over the connection that stands. REQUIRES: is_fresh().
  void carry(std::shared_ptr<DirectExchange> exchange);
  // Whether the server has neither closed it nor said what nobody asked for.
  [[nodiscard]] bool is_fresh();
  // When something has to be done about it, and what.
  [[nodiscard]] SteadyTime deadline() const;
  void expire();

  // Tells nobody any more; the answer may end until then, so that the connection serves again.
  void wind_up(SteadyTime until);
  // Closes without a word to the listener. The owner has to forget it itself.
  void close();

  [[nodiscard]] bool is_idle() const { return state_ == State::kIdle; }
  [[nodiscard]] const std::string& place() const { return place_; }
  Place position;  // The owner's.

 private:
  using Protocol = boost::asio::generic::stream_protocol;
  using Error = boost::system::error_code;
  enum class State : std::uint8_t { kConnecting, kBusy, kIdle, kClosed };

  void connect_next();
  Error open(const Protocol::endpoint& endpoint);
  void on_connected(const Error& error);
  void wait();
  void write();
  [[nodiscard]] std::array<boost::asio::const_buffer, 2> unsent() const;
  void read();
  void on_read(const Error& error, std::size_t count);
  void take(std::span<char> bytes);
  bool take_body(const std::shared_ptr<DirectExchange>& exchange, std::string_view bytes);
  bool deliver(const std::shared_ptr<DirectExchange>& exchange, std::string_view bytes);
  template <class Tell>
  bool tell(const std::shared_ptr<DirectExchange>& exchange, Tell tell);
  void lose(const Error& error);
  void finish(CallError error, std::string message);

  boost::asio::basic_stream_socket<Protocol, Executor> socket_;
  Owner& owner_;
  const std::string place_;
  State state_ = State::kConnecting;
  std::vector<Protocol::endpoint> candidates_;  // The next one to try is last.
  std::shared_ptr<DirectExchange> exchange_;
  bool is_reused_ = false;
  std::size_t sent_ = 0;
  bool is_writing_ = false;
  Error write_error_;
  std::unique_ptr<char[]> buffer_;  // Where the read under way puts its bytes.
  std::size_t buffer_size_ = 0;
  bool is_flooded_ = false;  // The last read filled the buffer.
  bool is_reading_ = false;
  SteadyTime idle_since_;
};

}  // namespace hf::net
