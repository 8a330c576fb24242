// Non-blocking sockets, epoll with nanosecond time-outs and the clock: what the load and the stub
// upstream are made of.
//
// Thread safety: none.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/units.h"

namespace hf::load {

// The monotonic clock, the same in all processes of the machine.
TimePoint now();

// What failed with which `errno`.
std::unexpected<Error> system_failure(std::string_view what);

// Owns a file descriptor.
class File {
 public:
  File() = default;
  explicit File(int number) : number_(number) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~File();

  [[nodiscard]] int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// HOST:PORT, by name or number; [::1]:PORT for IPv6.
Result<Address> resolve(std::string_view host_and_port);
std::uint16_t port_of(const Address& address);

// Listens there; port 0 takes any free one.
Result<File> listen_at(const Address& address);
// Where a listener listens.
Address address_of(const File& listener);
// The next connection of a listener, non-blocking; none if nobody waits.
File accept_from(const File& listener);
// A connection that is being made: writable once it is there or has failed.
Result<File> connect_to(const Address& address);
// Zero if the connection is there, else the error number.
int connection_error(const File& file);

enum class Io { kOk, kWouldBlock, kClosed };
struct Moved {
  Io io = Io::kOk;
  std::size_t bytes = 0;
};
// One call each; kClosed stands for any end of the connection, orderly or not.
Moved receive(const File& file, std::span<char> buffer);
Moved transmit(const File& file, std::string_view bytes);

// Allows as many open files as the system lets this process have.
void raise_file_limit();

class Poller {
 public:
  static Result<Poller> create();

  // `id` comes back with the events. Level-triggered.
  void add(const File& file, std::uint32_t events, std::uint64_t id);
  void change(const File& file, std::uint32_t events, std::uint64_t id);
  // Waits until something happens or the moment is there, at most a minute; an interrupted wait
  // returns nothing. `spin` is the last part of the time that it spends without giving up the core.
  std::span<const epoll_event> wait(std::optional<TimePoint> until, Duration spin = {});

 private:
  explicit Poller(File epoll) : epoll_(std::move(epoll)) {}
  int poll(Duration timeout);

  File epoll_;
  epoll_event events_[256]{};
};

}  // namespace hf::load
