// Blocking sockets and a driven loop, to see on the wire what a library would hide.
//
// A raw socket gives up after ten seconds of silence, so that a broken test fails, not hangs.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/event_loop.h"

namespace hf::net {

class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() {
    if (fd_ >= 0) ::close(fd_);
  }

  // A client of "127.0.0.1:PORT" or "unix:PATH".
  static RawSocket connect(const std::string& address) {
    if (address.starts_with("unix:")) {
      sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
      std::strncpy(name.sun_path, address.c_str() + 5, sizeof name.sun_path - 1);
      return connected(AF_UNIX, name);
    }
    return connected(AF_INET, loopback(std::stoi(address.substr(address.rfind(':') + 1))));
  }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Reads until `mark` has come or the other side has closed; everything so far.
  std::string read_until(std::string_view mark) {
    char chunk[4096];
    while (text_.find(mark) == std::string::npos) {
      const auto count = ::recv(fd_, chunk, sizeof chunk, 0);
      if (count <= 0) break;
      text_.append(chunk, static_cast<std::size_t>(count));
    }
    const std::size_t at = text_.find(mark);
    const std::size_t size = at == std::string::npos ? text_.size() : at + mark.size();
    std::string result = text_.substr(0, size);
    text_.erase(0, size);
    return result;
  }
  std::string read_all() { return read_until("\xFF\xFE\xFF impossible"); }
  // Whether the other side closes without another byte.
  bool is_closed() { return read_all().empty() && !has_timed_out(); }
  [[nodiscard]] int fd() const { return fd_; }

  static sockaddr_in loopback(int port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<std::uint16_t>(port));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return name;
  }

 private:
  template <class Name>
  static RawSocket connected(int family, const Name& name) {
    RawSocket made(::socket(family, SOCK_STREAM, 0));
    sockaddr_storage any{};
    std::memcpy(&any, &name, sizeof name);
    if (::connect(made.fd_, reinterpret_cast<const sockaddr*>(&any), sizeof name) != 0) {
      made.text_ = "cannot connect";
    }
    return made;
  }
  [[nodiscard]] bool has_timed_out() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  int fd_;
  std::string text_;  // Read but not yet asked for.
};

// A listening port on which nobody speaks HTTP unless `script` does.
class RawServer {
 public:
  explicit RawServer(int backlog = 16) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name = RawSocket::loopback(0);
    socklen_t size = sizeof name;
    sockaddr* const any = reinterpret_cast<sockaddr*>(&name);
    ::bind(listener_.fd(), any, size);
    ::listen(listener_.fd(), backlog);
    ::getsockname(listener_.fd(), any, &size);
    address_ = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  }
  ~RawServer() {
    if (thread_.joinable()) thread_.join();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  // Waits until the script is over; only then may be read what it has written.
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  // Serves one connection with `script`, then closes it.
  void serve_one(std::function<void(RawSocket&)> script) {
    thread_ = std::thread([this, script = std::move(script)] {
      RawSocket peer(::accept(listener_.fd(), nullptr, nullptr));
      script(peer);
    });
  }

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  RawSocket listener_;
  std::string address_;
  std::thread thread_;
};

// Runs `client` on a thread of its own while the loop turns, until the client returns.
inline void drive(EventLoop& loop, const std::function<void()>& client) {
  std::thread thread([&] {
    client();
    loop.stop();
  });
  loop.run();
  thread.join();
}

}  // namespace hf::net
