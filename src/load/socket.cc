#include "load/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

namespace hf::load {
namespace {

constexpr int kBacklog = 4096;
constexpr Duration kWaitMax = std::chrono::minutes(1);

const sockaddr* raw(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

void switch_on(int file, int level, int option) {
  const int on = 1;
  ::setsockopt(file, level, option, &on, sizeof on);
}

}  // namespace

std::unexpected<Error> system_failure(std::string_view what) {
  return fail(Code::kUnavailable, fmt::format("{}: {}.", what, std::strerror(errno)));
}

TimePoint now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

File::~File() {
  if (number_ >= 0) ::close(number_);
}

Result<Address> resolve(std::string_view host_and_port) {
  const auto colon = host_and_port.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == host_and_port.size()) {
    return fail(Code::kInvalidInput, fmt::format("'{}' is not HOST:PORT.", host_and_port));
  }
  std::string host(host_and_port.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string port(host_and_port.substr(colon + 1));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return fail(Code::kUnavailable, fmt::format("There is no address for '{}': {}.", host_and_port,
                                                ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Address address{.size = list->ai_addrlen};
  std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
  return address;
}

std::uint16_t port_of(const Address& address) {
  return address.storage.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port)
             : ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

Result<File> listen_at(const Address& address) {
  File file(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!file) return system_failure("Cannot make a socket");
  switch_on(file.number(), SOL_SOCKET, SO_REUSEADDR);
  if (::bind(file.number(), raw(address), address.size) != 0 ||
      ::listen(file.number(), kBacklog) != 0) {
    return system_failure(fmt::format("Cannot listen at port {}", port_of(address)));
  }
  return file;
}

Address address_of(const File& listener) {
  Address address{.size = sizeof address.storage};
  ::getsockname(listener.number(), reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address;
}

File accept_from(const File& listener) {
  File file(::accept4(listener.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (file) switch_on(file.number(), IPPROTO_TCP, TCP_NODELAY);
  return file;
}

Result<File> connect_to(const Address& address) {
  File file(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!file) return system_failure("Cannot make a socket");
  switch_on(file.number(), IPPROTO_TCP, TCP_NODELAY);
  if (::connect(file.number(), raw(address), address.size) != 0 && errno != EINPROGRESS) {
    return system_failure(fmt::format("Cannot connect to port {}", port_of(address)));
  }
  return file;
}

int connection_error(const File& file) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(file.number(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Moved receive(const File& file, std::span<char> buffer) {
  const ssize_t got = ::recv(file.number(), buffer.data(), buffer.size(), 0);
  if (got > 0) return {Io::kOk, static_cast<std::size_t>(got)};
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {Io::kWouldBlock};
  return {Io::kClosed};
}

Moved transmit(const File& file, std::string_view bytes) {
  const ssize_t put = ::send(file.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put >= 0) return {Io::kOk, static_cast<std::size_t>(put)};
  if (errno == EAGAIN || errno == EINTR) return {Io::kWouldBlock};
  return {Io::kClosed};
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<Poller> Poller::create() {
  File epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return system_failure("Cannot make an epoll instance");
  return Poller(std::move(epoll));
}

void Poller::add(const File& file, std::uint32_t events, std::uint64_t id) {
  epoll_event event{.events = events, .data = {.u64 = id}};
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, file.number(), &event);
}

void Poller::change(const File& file, std::uint32_t events, std::uint64_t id) {
  epoll_event event{.events = events, .data = {.u64 = id}};
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, file.number(), &event);
}

std::span<const epoll_event> Poller::wait(std::optional<TimePoint> until, Duration spin) {
  const TimePoint begin = now();
  const TimePoint end = std::min(until.value_or(begin + kWaitMax), begin + kWaitMax);
  int count = poll(std::max(end - begin - spin, Duration{}));
  while (count == 0 && spin > Duration{} && now() < end) count = poll({});
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

int Poller::poll(Duration timeout) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec time{.tv_sec = seconds.count(), .tv_nsec = (timeout - seconds).count()};
  const int size = static_cast<int>(std::size(events_));
  return ::epoll_pwait2(epoll_.number(), events_, size, &time, nullptr);
}

}  // namespace hf::load
