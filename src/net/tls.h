// The server's side of TLS: what its certificate files become.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "net/http_server.h"

namespace hf::net {

// TLS 1.2 or later, HTTP/1.1 by ALPN. An error names the file at fault and never shows its content.
[[nodiscard]] Result<std::shared_ptr<boost::asio::ssl::context>> make_tls(const ServerTls& files);

}  // namespace hf::net
