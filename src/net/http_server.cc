#include "net/http_server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>
#include <utility>

#include "base/number.h"
#include "net/connection.h"
#include "net/event_loop_impl.h"
#include "net/tls.h"

namespace hf::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::uint32_t kRefusedMax = 64;  // At once; further ones over the limit are just closed.
constexpr std::chrono::milliseconds kAcceptPause{100};  // When the process is out of descriptors.

// A socket file, removed on destruction if it is still the one that was made here.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path) : path_(std::move(path)) { ::lstat(path_.c_str(), &made_); }
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), made_(other.made_) {}
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile() {
    struct stat found{};
    if (path_.empty() || ::lstat(path_.c_str(), &found) != 0) return;
    if (found.st_ino == made_.st_ino && found.st_dev == made_.st_dev) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  struct stat made_{};
};

class Server final : public HttpServer {
 public:
  Server(Acceptor acceptor, std::string address, SocketFile file, std::shared_ptr<Hub> hub)
      : acceptor_(std::make_shared<Acceptor>(std::move(acceptor))),
        address_(std::move(address)),
        file_(std::move(file)),
        hub_(std::move(hub)) {
    accept(acceptor_, hub_);
  }
  ~Server() override {
    hub_->is_alive = false;
    error_code ignored;
    acceptor_->close(ignored);
    const auto connections = hub_->connections;
    for (const auto& connection : connections) connection->close();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void drain(std::move_only_function<void()> done) override {
    error_code ignored;
    acceptor_->close(ignored);
    hub_->is_draining = true;
    hub_->drained = std::move(done);
    const auto connections = hub_->connections;
    for (const auto& connection : connections) connection->close_if_idle();
    tell_if_drained(hub_);
  }

  Result<void> reload_tls(const ServerTls& files) override {
    if (!hub_->tls)
      return fail(Code::kInvalidInput, "The server has no TLS, so there is none to reload.");
    HF_TRY(hub_->tls, make_tls(files));
    return {};
  }

  std::string address() const override { return address_; }

 private:
  static void accept(const std::shared_ptr<Acceptor>& acceptor, const std::shared_ptr<Hub>& hub) {
    acceptor->async_accept([acceptor, hub](const error_code& error, Socket socket) {
      if (!hub->is_alive || !acceptor->is_open()) return;
      if (!error) {
        take(std::move(socket), hub);
      } else if (error != asio::error::connection_aborted) {
        return accept_later(acceptor, hub);
      }
      accept(acceptor, hub);
    });
  }

  static void accept_later(const std::shared_ptr<Acceptor>& acceptor,
                           const std::shared_ptr<Hub>& hub) {
    const auto timer = std::make_shared<SteadyTimer>(hub->executor, kAcceptPause);
    timer->async_wait([timer, acceptor, hub](const error_code&) {
      if (hub->is_alive && acceptor->is_open()) accept(acceptor, hub);
    });
  }

  static void take(Socket socket, const std::shared_ptr<Hub>& hub) {
    const bool is_full = hub->connections.size() - hub->refused >= hub->limits.connections;
    if (is_full && hub->refused >= kRefusedMax) return;
    error_code ignored;  // A Unix socket has no such option.
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    const auto connection = std::make_shared<Connection>(std::move(socket), hub);
    hub->connections.insert(connection);
    if (is_full) {
      connection->refuse();
    } else {
      connection->serve();
    }
  }

  const std::shared_ptr<Acceptor> acceptor_;
  const std::string address_;
  const SocketFile file_;
  const std::shared_ptr<Hub> hub_;
};

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

Result<asio::ip::tcp::endpoint> resolve(asio::io_context& context, std::string_view address) {
  const auto bad = [address] {
    return fail(Code::kInvalidInput,
                fmt::format("'{}' is not an address to listen on. Write HOST:PORT, [IPv6]:PORT or "
                            "unix:PATH.",
                            address));
  };
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  const auto port = parse_number<std::uint16_t>(digits);
  if (!port) return bad();
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  error_code error;
  const auto literal = asio::ip::make_address(std::string(host), error);
  if (!error) return asio::ip::tcp::endpoint(literal, *port);
  asio::ip::tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, digits, error);
  if (error || found.empty()) {
    return fail(Code::kInvalidInput,
                fmt::format("The host '{}' of the address to listen on is not known ({}).", host,
                            error.message()));
  }
  return found.begin()->endpoint();
}

Result<void> open_tcp(Acceptor& acceptor, const asio::ip::tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
  if (!error) return {};
  if (error == asio::error::address_in_use) {
    return fail(Code::kUnavailable,
                fmt::format("The address {} is in use by another program. Choose another port.",
                            text_of(endpoint)));
  }
  return fail(Code::kUnavailable,
              fmt::format("Cannot listen on {}: {}.", text_of(endpoint), error.message()));
}

// Removes a socket file that nobody listens on; anything else at `path` is an error.
Result<void> remove_stale(asio::io_context& context, const std::string& path) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return fail(Code::kInvalidInput,
                fmt::format("{} exists and is not a socket. Choose another path.", path));
  }
  error_code error;
  asio::local::stream_protocol::socket probe(context);
  probe.open(asio::local::stream_protocol(), error);
  if (!error) probe.non_blocking(true, error);  // A full queue of a live server must not hold us.
  if (!error) probe.connect(asio::local::stream_protocol::endpoint(path), error);
  if (error == asio::error::connection_refused) {
    ::unlink(path.c_str());
    return {};
  }
  if (error && error != asio::error::would_block && error != asio::error::try_again) {
    return fail(Code::kUnavailable,
                fmt::format("The socket {} cannot be taken over: {}.", path, error.message()));
  }
  return fail(Code::kUnavailable,
              fmt::format("Another server listens on {}. Stop it or choose another path.", path));
}

Result<SocketFile> open_unix(asio::io_context& context, Acceptor& acceptor,
                             const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Code::kInvalidInput, fmt::format("The socket path '{}' must have 1 to {} bytes.",
                                                 path, sizeof(sockaddr_un::sun_path) - 1));
  }
  if (path.find('\0') != std::string::npos) {
    return fail(Code::kInvalidInput, "The socket path contains a NUL byte.");
  }
  HF_CHECK(remove_stale(context, path));
  const asio::local::stream_protocol::endpoint endpoint(path);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.bind(endpoint, error);
  if (error) {
    return fail(Code::kUnavailable, fmt::format("Cannot listen on {}: {}.", path, error.message()));
  }
  SocketFile file(path);
  // Before listen() nobody can connect, so the file is never open to others.
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail(Code::kUnavailable, fmt::format("Cannot set the mode of {}.", path));
  }
  acceptor.listen(Acceptor::max_listen_connections, error);
  if (error) {
    return fail(Code::kUnavailable, fmt::format("Cannot listen on {}: {}.", path, error.message()));
  }
  return file;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, std::string_view address,
                                                       Handler handler, ServerLimits limits,
                                                       std::optional<ServerTls> tls) {
  auto& context = loop.impl().context;
  Acceptor acceptor(context.get_executor());
  auto hub = std::make_shared<Hub>(
      Hub{.handler = std::move(handler), .limits = limits, .executor = context.get_executor()});
  if (tls) {
    HF_TRY(hub->tls, make_tls(*tls));
  }
  if (address.starts_with(kUnixPrefix)) {
    const std::string path(address.substr(kUnixPrefix.size()));
    HF_TRY(SocketFile file, open_unix(context, acceptor, path));
    return std::make_unique<Server>(std::move(acceptor), std::string(address), std::move(file),
                                    std::move(hub));
  }
  HF_TRY(auto endpoint, resolve(context, address));
  HF_CHECK(open_tcp(acceptor, endpoint));
  error_code error;
  const Protocol::endpoint bound = acceptor.local_endpoint(error);
  endpoint.resize(bound.size());
  std::memcpy(endpoint.data(), bound.data(), bound.size());
  return std::make_unique<Server>(std::move(acceptor), text_of(endpoint), SocketFile(),
                                  std::move(hub));
}

}  // namespace hf::net
