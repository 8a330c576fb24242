// Whether a call can be made without libcurl, and what is then to be sent where.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <optional>
#include <string>
#include <vector>

#include "net/http_client.h"

namespace hf::net {

struct DirectRoute {
  std::string place;  // "unix:PATH" or "HOST:PORT": what connections are kept by.
  std::string head;   // Of the request, up to and with the empty line.
};

// Nothing if the call needs TLS, a name, a proxy or what only libcurl knows, or if it is not valid:
// libcurl says so in words.
[[nodiscard]] std::optional<DirectRoute> direct_route(const Call& call);

// The addresses of a place, to be tried in order. REQUIRES: `place` is that of a route.
[[nodiscard]] std::vector<boost::asio::generic::stream_protocol::endpoint> endpoints_of(
    const std::string& place);

}  // namespace hf::net
