#include "net/direct_route.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "base/assert.h"
#include "base/number.h"
#include "net/call_watch.h"

namespace hf::net {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kUnix = "unix:";

struct Url {
  std::string_view host;  // An address of version 6 in brackets.
  std::uint16_t port = 80;
  std::string_view target;
};

bool is_plain(char c) {
  return c > ' ' && c < '\x7F';
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// Only the simplest form: everything that wants to be normalised is libcurl's.
std::optional<Url> read_url(std::string_view text) {
  if (!text.starts_with(kScheme) || !std::ranges::all_of(text, is_plain)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(text.find_first_of("/?#"), text.size());
  Url url{.host = text.substr(0, slash), .target = text.substr(slash)};
  if (url.target.empty()) url.target = "/";
  if (url.target.front() != '/' || url.target.contains('#') || url.target.contains("/.")) {
    return std::nullopt;
  }
  const std::size_t bracket = std::min(url.host.find(']'), url.host.size());
  if (const std::size_t colon = url.host.find(':', url.host.starts_with('[') ? bracket : 0);
      colon != std::string_view::npos) {
    const std::string_view digits = url.host.substr(colon + 1);
    url.port = parse_number<std::uint16_t>(digits).value_or(0);
    if (url.port == 0) return std::nullopt;
    url.host = url.host.substr(0, colon);
  }
  if (url.host.empty()) return std::nullopt;
  return url;
}

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// Whether the host is reached without a resolver and without a proxy.
bool is_near(std::string_view host) {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  const std::string number(is_bracketed ? host.substr(1, host.size() - 2) : host);
  const auto address = asio::ip::make_address(number, error);
  if (error || address.is_v6() != is_bracketed || number.contains('%')) return false;
  if (address.is_loopback()) return true;
  return !is_set("http_proxy") && !is_set("all_proxy") && !is_set("ALL_PROXY");
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_plain(c) && !std::string_view("\"(),/:;<=>?@[\\]{}").contains(c);
  });
}

// Whether all lines of the request can be written as they are: its form is not the caller's to set.
bool is_ordinary(const Call& call) {
  constexpr std::string_view kOurs[] = {"connection", "content-length", "transfer-encoding",
                                        "expect",     "upgrade",        "te"};
  const bool is_method = is_token(call.method) && call.method != "CONNECT" &&
                         (call.method != "HEAD" || call.body.empty());
  return is_method && std::ranges::all_of(call.headers, [&kOurs](const auto& header) {
           return is_token(header.first) && is_one_line(header.second) &&
                  std::ranges::none_of(kOurs, [&](std::string_view ours) {
                    return is_same_name(ours, header.first);
                  });
         });
}

bool has_header(const Call& call, std::string_view name) {
  return std::ranges::any_of(call.headers,
                             [name](const auto& h) { return is_same_name(name, h.first); });
}

std::string head_of(const Call& call, const Url& url) {
  std::string head;
  head.reserve(256 + url.target.size() + call.headers.size() * 64);
  const auto put = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(value.empty() ? ":" : ": ").append(value).append("\r\n");
  };
  head.append(call.method).append(" ").append(url.target).append(" HTTP/1.1\r\n");
  if (!has_header(call, "host")) {
    put("Host", url.port == 80 ? std::string(url.host) : fmt::format("{}:{}", url.host, url.port));
  }
  if (!has_header(call, "user-agent")) put("User-Agent", "hybridflow");
  if (!has_header(call, "accept")) put("Accept", "*/*");
  if (!has_header(call, "accept-encoding")) put("Accept-Encoding", "identity");
  for (const auto& [name, value] : call.headers) put(name, value);
  const bool has_length = !call.body.empty() || (call.method != "GET" && call.method != "HEAD");
  if (has_length) put("Content-Length", fmt::format_int(call.body.size()).c_str());
  head += "\r\n";
  return head;
}

}  // namespace

std::optional<DirectRoute> direct_route(const Call& call) {
  const auto url = read_url(call.url);
  if (!url || !is_ordinary(call)) return std::nullopt;
  if (call.unix_socket.empty()) {
    if (!is_near(url->host)) return std::nullopt;
    return DirectRoute{.place = fmt::format("{}:{}", url->host, url->port),
                       .head = head_of(call, *url)};
  }
  const std::string& path = call.unix_socket;
  if (path.size() >= sizeof(sockaddr_un::sun_path) || path.contains('\0') ||
      !std::ranges::all_of(url->host, is_host_char)) {
    return std::nullopt;
  }
  return DirectRoute{.place = std::string(kUnix) + path, .head = head_of(call, *url)};
}

std::vector<asio::generic::stream_protocol::endpoint> endpoints_of(const std::string& place) {
  if (place.starts_with(kUnix)) {
    return {asio::local::stream_protocol::endpoint(place.substr(kUnix.size()))};
  }
  const std::size_t colon = place.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoul(place.substr(colon + 1)));
  std::string host = place.substr(0, colon);
  if (host == "localhost") {
    return {asio::ip::tcp::endpoint(asio::ip::address_v6::loopback(), port),
            asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port)};
  }
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return {asio::ip::tcp::endpoint(asio::ip::make_address(host), port)};
}

}  // namespace hf::net
