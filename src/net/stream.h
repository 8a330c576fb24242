// The bytes of one accepted connection: over its socket as they are, or over TLS.
//
// For plain connections it costs a comparison. At most one read and one write at a time. Loop
// thread only.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <utility>

namespace hf::net {

using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

class Stream {
 public:
  // Without a context: plain.
  Stream(Socket socket, boost::asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_ = std::make_unique<Tls>(socket_, *tls);
    is_secure_ = tls != nullptr;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] Socket& socket() { return socket_; }
  [[nodiscard]] bool is_secure() const { return is_secure_; }

  template <class Handler>
  void read_some(boost::asio::mutable_buffer to, Handler handler) {
    if (is_secure_) {
      tls_->async_read_some(to, std::move(handler));
    } else {
      socket_.async_read_some(to, std::move(handler));
    }
  }
  template <class Handler>
  void write_some(boost::asio::const_buffer from, Handler handler) {
    if (is_secure_) {
      tls_->async_write_some(from, std::move(handler));
    } else {
      socket_.async_write_some(from, std::move(handler));
    }
  }

  // REQUIRES: is_secure().
  template <class Handler>
  void handshake(Handler handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
  }
  // Tells the client that nothing more follows, without waiting for the same from it; a read under
  // way ends. REQUIRES: is_secure().
  template <class Handler>
  void say_goodbye(Handler handler) {
    SSL_set_shutdown(tls_->native_handle(), SSL_RECEIVED_SHUTDOWN);
    tls_->async_shutdown(std::move(handler));
  }
  // From here on the bytes are those of the socket.
  void end_security() { is_secure_ = false; }

 private:
  using Tls = boost::asio::ssl::stream<Socket&>;

  Socket socket_;
  std::unique_ptr<Tls> tls_;
  bool is_secure_ = false;
};

}  // namespace hf::net
