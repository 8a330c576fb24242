// The real client in a loop, with a real server or a raw one that the test scripts; once over the
// shortest way and once through libcurl.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "net/http_client.h"
#include "net/http_server.h"
#include "raw.h"

namespace hf::net {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<Responder>;

class ClientTest : public testing::TestWithParam<Transport> {
 protected:
  void serve(Handler handler, ServerLimits limits = {}) {
    auto made = HttpServer::listen(loop_, "127.0.0.1:0", std::move(handler), limits);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = *std::move(made);
  }
  Call call_to(const std::string& address, const std::string& path = "/") {
    return {.method = "GET", .url = "http://" + address + path};
  }
  Call call(const std::string& path = "/") { return call_to(server_->address(), path); }
  // Runs one call to its end; the body goes to body_.
  CallResult run(Call made) {
    CallResult result;
    body_.clear();
    client_->start(std::move(made),
                   {.on_bytes = [&](int, std::string_view bytes) { body_ += bytes; },
                    .on_done =
                        [&](const CallResult& done) {
                          result = done;
                          loop_.stop();
                        }});
    loop_.run();
    return result;
  }
  // One call to a raw server that answers every request with `answer` and closes.
  CallResult run_against(const std::string& answer) {
    RawServer raw;
    raw.serve_one([&](RawSocket& peer) {
      peer.read_until("\r\n\r\n");
      peer.send(answer);
    });
    return run(call_to(raw.address()));
  }

  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_ = HttpClient::create(loop_, GetParam());
  std::string body_;
};

}  // namespace hf::net
