#include "net/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "net/http_text.h"

namespace hf::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kSmallRead = 4 * 1024;
constexpr std::size_t kBodyRead = 64 * 1024;
constexpr std::size_t kReadAhead = 16 * 1024;   // Of pipelined requests while an answer is pending.
constexpr std::size_t kKeptBuffer = 64 * 1024;  // An idle connection keeps no more than this.
constexpr std::chrono::milliseconds kLingerTime{2'000};
constexpr auto kNever = std::chrono::steady_clock::time_point::max();

void release_if_large(std::string& text) {
  text.clear();
  if (text.capacity() > kKeptBuffer) text.shrink_to_fit();
}

class Exchange final : public Responder {
 public:
  Exchange(const std::shared_ptr<Connection>& connection, std::uint64_t number,
           std::shared_ptr<Hub> hub)
      : connection_(connection), number_(number), hub_(std::move(hub)) {}
  ~Exchange() override {
    if (const auto connection = open()) connection->give_up();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void send(int status, std::string_view content_type, std::string body, Headers headers) override {
    is_complete_ = true;
    if (const auto connection = open()) connection->send(status, content_type, body, headers);
  }
  void begin(int status, std::string_view content_type, Headers headers) override {
    if (const auto connection = open()) connection->begin(status, content_type, headers);
  }
  bool write(std::string_view bytes) override {
    const auto connection = open();
    return connection && connection->write(bytes);
  }
  void end() override {
    is_complete_ = true;
    if (const auto connection = open()) connection->end();
  }
  void on_close(std::move_only_function<void()> gone) override {
    if (const auto connection = open()) {
      connection->on_close(std::move(gone));
    } else if (!is_complete_) {
      asio::post(hub_->executor, [hub = hub_, gone = std::move(gone)]() mutable {
        if (hub->is_alive) gone();
      });
    }
  }
  bool is_open() const override { return open() != nullptr; }

 private:
  std::shared_ptr<Connection> open() const {
    auto connection = connection_.lock();
    return connection && connection->is_answering(number_) ? connection : nullptr;
  }

  const std::weak_ptr<Connection> connection_;
  const std::uint64_t number_;
  const std::shared_ptr<Hub> hub_;
  bool is_complete_ = false;
};

}  // namespace

void tell_if_drained(const std::shared_ptr<Hub>& hub) {
  if (!hub->drained || !hub->connections.empty()) return;
  asio::post(hub->executor, [hub, done = std::move(hub->drained)]() mutable {
    if (hub->is_alive) done();
  });
  hub->drained = nullptr;
}

Connection::Connection(Socket socket, std::shared_ptr<Hub> hub)
    : stream_(std::move(socket), hub->tls.get()),
      timer_(stream_.socket().get_executor()),
      hub_(std::move(hub)),
      state_(stream_.is_secure() ? State::kHandshake : State::kIdle),
      deadline_(kNever) {}

void Connection::serve() {
  if (stream_.is_secure()) return shake_hands();
  begin();
}

void Connection::refuse() {
  is_refused_ = true;
  ++hub_->refused;
  serve();
}

void Connection::shake_hands() {
  set_deadline(hub_->limits.header_time);
  stream_.handshake([self = shared_from_this()](const error_code& error) {
    if (self->state_ == State::kClosed) return;
    if (error) {  // Not a client of ours; OpenSSL has told it so.
      self->stream_.end_security();
      return self->linger();
    }
    self->state_ = State::kIdle;
    self->begin();
  });
}

void Connection::begin() {
  if (is_refused_) {
    reject(503, "The server has reached its limit of connections. Try again later.");
  } else {
    set_deadline(hub_->limits.idle_time);
  }
  read();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  error_code ignored;
  stream_.socket().close(ignored);
  timer_.cancel();
  if (gone_ && hub_->is_alive) {
    asio::post(hub_->executor, [hub = hub_, gone = std::move(gone_)]() mutable {
      if (hub->is_alive) gone();
    });
  }
  gone_ = nullptr;
  if (is_refused_) --hub_->refused;
  hub_->connections.erase(shared_from_this());
  tell_if_drained(hub_);
}

void Connection::read() {
  if (is_reading_ || is_at_end_ || state_ == State::kClosed) return;
  const bool is_waiting = state_ == State::kAnswering || state_ == State::kFlushing;
  if (is_waiting && input_.size() >= kReadAhead) return;
  is_reading_ = true;
  const std::size_t size = state_ == State::kBody ? kBodyRead : kSmallRead;
  if (chunk_.size() != size) chunk_ = std::vector<char>(size);
  stream_.read_some(
      asio::buffer(chunk_),
      [self = shared_from_this(), was_secure = stream_.is_secure()](
          const error_code& error, std::size_t count) { self->on_read(error, count, was_secure); });
}

void Connection::on_read(const error_code& error, std::size_t count, bool was_secure) {
  is_reading_ = false;
  if (state_ == State::kClosed) return;
  if (state_ == State::kLingering && was_secure) {
    if (!stream_.is_secure()) read();
    return;
  }
  if (error) {
    // A client may close its sending side once it has seen the end of what it asked for.
    is_at_end_ = true;
    keep_alive_ = false;
    if (error != asio::error::eof || state_ != State::kFlushing) close();
    return;
  }
  if (state_ != State::kLingering) {
    std::memcpy(input_.prepare(count).data(), chunk_.data(), count);
    input_.commit(count);
  }
  advance();
}

// Parses what is here; reading goes on whatever the state, to notice a client that leaves.
void Connection::advance() {
  const auto self = shared_from_this();  // A handler may destroy the server.
  while (state_ < State::kAnswering && input_.size() > 0 && parse()) {
  }
  if (input_.size() == 0 && input_.capacity() > kKeptBuffer) input_.shrink_to_fit();
  read();
}

// Feeds the parser once; false if it needs more bytes.
bool Connection::parse() {
  if (state_ == State::kIdle) {
    const char first = *static_cast<const char*>(input_.data().data());
    if (first == '\r' || first == '\n') {  // Old clients send a line end after a body.
      input_.consume(1);
      return true;
    }
    parser_.emplace();
    parser_->header_limit(hub_->limits.header_bytes);
    parser_->body_limit(hub_->limits.body_bytes);
    state_ = State::kHead;
    checked_ = 0;
    is_head_request_ = false;
    set_deadline(hub_->limits.header_time);
  }
  if (state_ == State::kHead && has_folded_line()) {
    reject(400, "A line of the request's headers begins with a blank.");
    return true;
  }
  error_code error;
  const std::size_t used = parser_->put(input_.data(), error);
  input_.consume(used);
  checked_ -= std::min(checked_, used);
  if (error == http::error::need_more) {
    // What is left of a body is the head of a chunk or trailers, which Beast lets grow.
    if (state_ != State::kBody || input_.size() <= hub_->limits.header_bytes) return false;
    reject(431, "The request's trailers are too large.");
    return true;
  }
  if (error == http::error::header_limit) {
    reject(431, "The request's headers are too large.");
  } else if (error == http::error::body_limit) {
    reject(413,
           fmt::format("The request's body is larger than {} bytes.", hub_->limits.body_bytes));
  } else if (error) {
    reject(400, "The request is not valid HTTP/1.1.");
  } else {
    if (state_ == State::kHead && parser_->is_header_done()) on_head();
    if (state_ == State::kBody && parser_->is_done()) dispatch();
  }
  return true;
}

// Beast joins folded lines of the head; another reader would see a header of its own there.
bool Connection::has_folded_line() {
  const auto data = input_.data();
  const std::string_view text(static_cast<const char*>(data.data()), data.size());
  while (true) {
    const std::size_t end = text.find('\n', checked_);
    checked_ = std::min(end, text.size());
    if (checked_ + 1 >= text.size()) return false;
    const char next = text[checked_ + 1];
    if (next == ' ' || next == '\t') return true;
    if (next == '\r' || next == '\n') return false;  // The end of the head.
    ++checked_;
  }
}

void Connection::on_head() {
  const auto& head = parser_->get();
  request_ = Request();
  request_.method = head.method_string();
  if (std::distance(head.begin(), head.end()) > hub_->limits.header_count) {
    return reject(431, "The request has too many headers.");
  }
  // Trailers would be added to the fields later and must not pass for headers: copied now.
  for (const auto& field : head) {
    request_.headers.emplace_back(lower(field.name_string()), field.value());
  }
  is_head_request_ = head.method() == http::verb::head;
  is_old_http_ = head.version() < 11;
  keep_alive_ = parser_->keep_alive();
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && !is_old_http_)) {
    return reject(400, "The request needs exactly one Host header.");
  }
  if (!read_target(head.target(), request_)) {
    return reject(400, "The request's target is neither a path nor a URL of this host.");
  }
  if (const auto fault = framing_fault(request_, is_old_http_); !fault.empty()) {
    return reject(400, fault);
  }
  state_ = State::kBody;
  if (parser_->is_done()) return;
  set_deadline(hub_->limits.body_time);
  parser_->eager(true);
  const std::string expectation = lower(request_.header("expect"));
  if (expectation.empty() || is_old_http_) return;
  if (expectation != "100-continue") {
    return reject(417, "The request expects something this server does not know.");
  }
  if (input_.size() == 0) {
    pending_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
}

void Connection::dispatch() {
  request_.body = std::move(parser_->get().body());
  parser_.reset();
  state_ = State::kAnswering;
  deadline_ = kNever;
  has_begun_ = false;
  ++exchange_;
  hub_->handler(std::move(request_),
                std::make_shared<Exchange>(shared_from_this(), exchange_, hub_));
}

// An answer of the server itself, after which the connection ends.
void Connection::reject(int status, std::string_view message) {
  parser_.reset();
  keep_alive_ = false;
  has_begun_ = false;
  state_ = State::kAnswering;
  ++exchange_;
  Headers headers;
  if (status == 503) headers.emplace_back("Retry-After", "1");
  send(status, "application/json", error_body(status, message), headers);
}

void Connection::send(int status, std::string_view content_type, std::string_view body,
                      const Headers& headers) {
  HF_ASSERT(!has_begun_);
  put_head(status, content_type, headers, body.size());
  if (!is_head_request_ && !has_no_body(status)) pending_ += body;
  complete();
}

void Connection::begin(int status, std::string_view content_type, const Headers& headers) {
  HF_ASSERT(!has_begun_);
  has_begun_ = true;
  put_head(status, content_type, headers, std::nullopt);
  // Not at once: the first piece, if it comes in this turn, shares a packet with the head.
  asio::post(hub_->executor, [self = shared_from_this()] { self->flush(); });
}

bool Connection::write(std::string_view bytes) {
  HF_ASSERT(has_begun_);
  if (bytes.empty() || is_head_request_) return true;
  if (outgoing_.size() - outgoing_at_ + pending_.size() + bytes.size() >
      hub_->limits.buffered_bytes) {
    close();
    return false;
  }
  if (is_old_http_) {
    pending_ += bytes;
  } else {
    fmt::format_to(std::back_inserter(pending_), "{:x}\r\n", bytes.size());
    pending_ += bytes;
    pending_ += "\r\n";
  }
  flush();
  return state_ != State::kClosed;
}

void Connection::end() {
  HF_ASSERT(has_begun_);
  if (!is_old_http_ && !is_head_request_) pending_ += "0\r\n\r\n";
  complete();
}

void Connection::give_up() {
  if (has_begun_) return close();
  keep_alive_ = false;
  send(500, "application/json", error_body(500, "The request was not answered."), {});
}

void Connection::put_head(int status, std::string_view content_type, const Headers& headers,
                          std::optional<std::size_t> length) {
  HF_ASSERT(status >= 200 && status < 600);
  keep_alive_ = keep_alive_ && !hub_->is_draining;
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  fmt::format_to(std::back_inserter(pending_), "HTTP/1.1 {} {}\r\n", status,
                 std::string_view(reason.data(), reason.size()));
  put_header(pending_, "Date", hub_->date.now());
  if (!content_type.empty()) put_header(pending_, "Content-Type", content_type);
  for (const auto& [name, value] : headers) put_header(pending_, name, value);
  if (!length && is_old_http_) keep_alive_ = false;  // The end of the connection is the end mark.
  if (length && !has_no_body(status)) {
    put_header(pending_, "Content-Length", fmt::format_int(*length).c_str());
  } else if (!length && !is_old_http_) {
    put_header(pending_, "Transfer-Encoding", "chunked");
  }
  if (!keep_alive_) {
    put_header(pending_, "Connection", "close");
  } else if (is_old_http_) {
    put_header(pending_, "Connection", "keep-alive");
  }
  pending_ += "\r\n";
}

void Connection::flush() {
  if (state_ == State::kClosed || is_writing_) return;
  if (outgoing_at_ == outgoing_.size()) {
    if (pending_.empty()) return;
    outgoing_.clear();
    outgoing_at_ = 0;
    outgoing_.swap(pending_);
  }
  is_writing_ = true;
  if (state_ >= State::kAnswering) set_deadline(hub_->limits.write_time);
  stream_.write_some(asio::buffer(outgoing_.data() + outgoing_at_, outgoing_.size() - outgoing_at_),
                     [self = shared_from_this()](const error_code& error, std::size_t count) {
                       self->on_written(error, count);
                     });
}

void Connection::on_written(const error_code& error, std::size_t count) {
  is_writing_ = false;
  if (error) return close();
  outgoing_at_ += count;
  flush();
  if (is_writing_) return;
  if (state_ == State::kAnswering) deadline_ = kNever;
  if (state_ == State::kFlushing) finish();
}

// The answer is complete; its last bytes may still have to leave.
void Connection::complete() {
  gone_ = nullptr;
  state_ = State::kFlushing;
  flush();
  if (is_writing_ || state_ != State::kFlushing) return;
  asio::post(hub_->executor, [self = shared_from_this()] {  // The head has left long ago.
    if (self->state_ == State::kFlushing && !self->is_writing_) self->finish();
  });
}

// Everything has left: on to the next request or to the end.
void Connection::finish() {
  release_if_large(outgoing_);
  outgoing_at_ = 0;
  release_if_large(pending_);
  if (keep_alive_ && !hub_->is_draining) {
    state_ = State::kIdle;
    set_deadline(hub_->limits.idle_time);
    return advance();
  }
  if (is_at_end_) return close();
  linger();
}

// Shuts our side and throws away what still comes.
void Connection::linger() {
  state_ = State::kLingering;
  set_deadline(kLingerTime);
  if (stream_.is_secure()) {
    stream_.say_goodbye([self = shared_from_this()](const error_code&) {
      if (self->state_ == State::kClosed) return;
      self->stream_.end_security();
      self->linger();
    });
    return;
  }
  error_code ignored;
  stream_.socket().shutdown(Socket::shutdown_send, ignored);
  read();
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = std::chrono::steady_clock::now() + from_now;
  if (!is_armed_ || deadline_ < timer_.expiry()) arm();
}

// The timer is not moved whenever the deadline is: it looks at the deadline when it fires.
void Connection::arm() {
  is_armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->state_ == State::kClosed) return;
    self->is_armed_ = false;
    if (self->deadline_ == kNever) return;
    if (std::chrono::steady_clock::now() < self->deadline_) return self->arm();
    self->on_deadline();
  });
}

void Connection::on_deadline() {
  if (state_ == State::kHead || state_ == State::kBody) {
    reject(408, "The request took too long to arrive.");
  } else {
    close();
  }
}

}  // namespace hf::net
