#include "net/direct_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace hf::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kFirstRead = 4 * 1024;
constexpr std::size_t kLargeRead = 64 * 1024;
constexpr std::chrono::seconds kKeptMax{60};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

// Whether the server does the same however often it is asked.
bool is_harmless(const Call& call) {
  return call.body.empty() && (call.method == "GET" || call.method == "HEAD");
}

}  // namespace

DirectExchange::DirectExchange(HttpClient::Id number, Call&& made, CallListener&& told,
                               DirectRoute&& way, SteadyTime moment)
    : id(number),
      call(std::move(made)),
      listener(std::move(told)),
      route(std::move(way)),
      started(moment),
      watch(call, moment),
      parser(call.method == "HEAD") {
  call.connect_timeout = bounded(call.connect_timeout);
}

void DirectExchange::silence() {
  is_silent = true;
  if (!is_telling) listener = {};
}

DirectConnection::DirectConnection(const Executor& executor, Owner& owner, std::string place)
    : socket_(executor), owner_(owner), place_(std::move(place)) {}

void DirectConnection::connect(std::shared_ptr<DirectExchange> exchange) {
  exchange_ = std::move(exchange);
  candidates_ = endpoints_of(place_);
  std::ranges::reverse(candidates_);
  connect_next();
}

void DirectConnection::connect_next() {
  const Protocol::endpoint endpoint = candidates_.back();
  candidates_.pop_back();
  Error error = open(endpoint);
  const bool is_unix = endpoint.protocol().family() == AF_UNIX;
  if (!error && is_unix) socket_.connect(endpoint, error);  // Never has to wait.
  if (error || is_unix) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), error] { self->on_connected(error); });
    return;
  }
  socket_.async_connect(
      endpoint, [self = shared_from_this()](const Error& failure) { self->on_connected(failure); });
}

// A socket that no child process inherits, and that never blocks.
DirectConnection::Error DirectConnection::open(const Protocol::endpoint& endpoint) {
  Error error;
  socket_.close(error);
  const Protocol protocol = endpoint.protocol();
  const int descriptor = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return {errno, boost::system::system_category()};
  socket_.assign(protocol, descriptor, error);
  if (error) {
    ::close(descriptor);
    return error;
  }
  socket_.non_blocking(true, error);
  Error ignored;  // Unix sockets have no such options.
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  return error;
}

void DirectConnection::on_connected(const Error& error) {
  if (state_ != State::kConnecting) return;
  if (error && !candidates_.empty()) return connect_next();
  if (error) return finish(CallError::kConnect, "could not connect: " + error.message());
  if (owner_.take_over(exchange_)) {
    exchange_ = nullptr;
    wait();
  } else {
    state_ = State::kBusy;
    write();
  }
  read();
}

void DirectConnection::wait() {
  state_ = State::kIdle;
  idle_since_ = now();
  owner_.park(*this);
}

void DirectConnection::carry(std::shared_ptr<DirectExchange> exchange) {
  HF_ASSERT(state_ == State::kIdle);
  exchange_ = std::move(exchange);
  state_ = State::kBusy;
  is_reused_ = true;
  sent_ = 0;
  write();
}

bool DirectConnection::is_fresh() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

SteadyTime DirectConnection::deadline() const {
  switch (state_) {
    case State::kConnecting:
      return std::min(exchange_->started + exchange_->call.connect_timeout,
                      exchange_->watch.deadline());
    case State::kBusy:
      return exchange_->watch.deadline();
    case State::kIdle:
      return idle_since_ + kKeptMax;
    case State::kClosed:
      break;
  }
  return SteadyTime::max();
}

void DirectConnection::expire() {
  if (state_ == State::kIdle) {
    owner_.drop(*this);
    close();
  } else if (exchange_) {
    const bool is_connecting =
        state_ == State::kConnecting && deadline() < exchange_->watch.deadline();
    CallResult late = is_connecting ? connect_timed_out(exchange_->call.connect_timeout)
                                    : exchange_->watch.timed_out();
    finish(late.error, std::move(late.message));
  }
}

void DirectConnection::close() {
  state_ = State::kClosed;
  exchange_ = nullptr;
  Error ignored;
  socket_.close(ignored);
}

// What of the request has not left yet: head and body, in one write if the socket takes it.
std::array<asio::const_buffer, 2> DirectConnection::unsent() const {
  const asio::const_buffer head = asio::buffer(exchange_->route.head);
  const asio::const_buffer body = asio::buffer(exchange_->call.body);
  return {head + sent_, body + (sent_ - std::min(sent_, head.size()))};
}

void DirectConnection::write() {
  Error error;
  sent_ += socket_.write_some(unsent(), error);
  if (error && error != asio::error::would_block) {
    // Not the end: an answer may have come before. The read under way finds out.
    write_error_ = error;
    return;
  }
  if (asio::buffer_size(unsent()) == 0) return;
  is_writing_ = true;
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this(), exchange = exchange_](const Error& failure) {
                       self->is_writing_ = false;
                       if (!failure && exchange == self->exchange_) self->write();
                     });
}

void DirectConnection::read() {
  if (is_reading_ || state_ == State::kClosed) return;
  is_reading_ = true;
  const std::size_t size = is_flooded_ && state_ == State::kBusy ? kLargeRead : kFirstRead;
  if (buffer_size_ != size) {
    buffer_ = std::make_unique_for_overwrite<char[]>(size);
    buffer_size_ = size;
  }
  socket_.async_read_some(asio::buffer(buffer_.get(), buffer_size_),
                          [self = shared_from_this()](const Error& error, std::size_t count) {
                            self->on_read(error, count);
                          });
}

void DirectConnection::on_read(const Error& error, std::size_t count) {
  is_reading_ = false;
  if (state_ == State::kClosed) return;
  if (error || state_ != State::kBusy) return lose(error);
  is_flooded_ = count == buffer_size_ || (is_flooded_ && count >= kFirstRead);
  take({buffer_.get(), count});
  read();
}

void DirectConnection::take(std::span<char> bytes) {
  const auto exchange = exchange_;  // A callback may cancel the call.
  ResponseParser& parser = exchange->parser;
  const std::string_view body = parser.push(bytes);
  if (parser.has_head() && !std::exchange(exchange->is_head_told, true)) {
    const bool is_still = tell(exchange, [&parser](CallListener& listener) {
      if (listener.on_head) listener.on_head(parser.head());
    });
    if (!is_still) return;
  }
  if (!body.empty() && !take_body(exchange, body)) return;
  if (parser.error() != CallError::kNone) {
    finish(parser.error(), parser.message());
  } else if (parser.is_done()) {
    finish(CallError::kNone, {});
  }
}

// Calls back; false if the exchange is over by then.
template <class Tell>
bool DirectConnection::tell(const std::shared_ptr<DirectExchange>& exchange, Tell tell) {
  if (!exchange->is_silent) {
    exchange->is_telling = true;
    tell(exchange->listener);
    exchange->is_telling = false;
    if (exchange->is_silent) exchange->listener = {};
  }
  return exchange == exchange_;
}

// False if the exchange is over.
bool DirectConnection::take_body(const std::shared_ptr<DirectExchange>& exchange,
                                 std::string_view bytes) {
  const std::string& encoding = exchange->parser.content_encoding();
  if (encoding.empty()) return deliver(exchange, bytes);
  if (!exchange->inflater) {
    if (!Inflater::knows(encoding)) {
      finish(CallError::kProtocol, "the encoding of the answer's content is not known");
      return false;
    }
    exchange->inflater = std::make_unique<Inflater>(encoding);
  }
  bool is_still = true;
  const bool is_whole = exchange->inflater->push(
      bytes, [&](std::string_view piece) { return is_still = deliver(exchange, piece); });
  if (is_still && !is_whole) {
    finish(CallError::kProtocol, "the compressed answer is damaged");
    return false;
  }
  return is_still;
}

// False if the exchange is over.
bool DirectConnection::deliver(const std::shared_ptr<DirectExchange>& exchange,
                               std::string_view bytes) {
  const std::uint64_t limit = exchange->call.body_limit;
  if (bytes.size() > limit - exchange->received) {
    finish(CallError::kTooLarge, "the answer is larger than " + std::to_string(limit) + " bytes");
    return false;
  }
  const bool is_first = exchange->received == 0;
  exchange->received += bytes.size();
  exchange->watch.take_bytes(now());
  if (is_first) owner_.arm(deadline());  // It may be nearer now.
  return tell(exchange, [&](CallListener& listener) {
    if (listener.on_bytes) listener.on_bytes(exchange->parser.head().status, bytes);
  });
}

void DirectConnection::wind_up(SteadyTime until) {
  exchange_->watch.end_until(until);
  exchange_->silence();
  // The end may have come with the bytes that are being told: then the next call, which is perhaps
  // started by who is told, finds the connection free.
  if (exchange_->parser.is_done()) finish(CallError::kNone, {});
}

// The other side has closed the connection, or it broke, or it is of no more use.
void DirectConnection::lose(const Error& error) {
  if (state_ == State::kIdle) {
    owner_.drop(*this);
    return close();
  }
  ResponseParser& parser = exchange_->parser;
  const bool has_begun = parser.has_begun();
  if (is_reused_ && !has_begun && (sent_ == 0 || is_harmless(exchange_->call))) {
    auto exchange = std::move(exchange_);
    owner_.drop(*this);
    close();
    return owner_.repeat(std::move(exchange));
  }
  if (error == asio::error::eof) parser.end();
  if (parser.is_done()) return finish(CallError::kNone, {});
  std::string text = error.message();
  if (error == asio::error::eof) text = parser.message();
  if (!has_begun && write_error_) text = write_error_.message();
  if (!has_begun && !is_reused_ && !write_error_ && error == asio::error::eof) {
    text = "Empty reply from the server";
  }
  finish(sent_ == 0 ? CallError::kConnect : CallError::kCut, std::move(text));
}

void DirectConnection::finish(CallError error, std::string message) {
  const auto exchange = std::exchange(exchange_, nullptr);
  const ResponseParser& parser = exchange->parser;
  const bool is_kept = error == CallError::kNone && parser.is_reusable() && !is_writing_ &&
                       sent_ == exchange->route.head.size() + exchange->call.body.size();
  owner_.forget(exchange->id);
  if (is_kept) {
    wait();
  } else {
    const auto self = shared_from_this();
    owner_.drop(*this);
    close();
  }
  if (exchange->is_silent || !exchange->listener.on_done) return;
  CallResult result{.error = error,
                    .message = std::move(message),
                    .status = parser.head().status,
                    .retry_after = {},
                    .content_type = parser.head().content_type};
  if (!parser.retry_after().empty()) result.retry_after = read_retry_after(parser.retry_after());
  exchange->listener.on_done(result);
}

}  // namespace hf::net
