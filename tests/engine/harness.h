// What the engine's tests share: places on disk, the test model, and an engine behind a real socket
// that is asked by the real client on one loop.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core_lease.h"
#include "engine/service.h"
#include "engine/worker.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace hf::engine {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hf-engine-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Sets an environment variable and puts the old value back.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    const char* old = std::getenv(name);
    if (old != nullptr) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// The small model that tests run, or "" if it is not on this machine.
inline std::string test_model() {
  const char* given = std::getenv("HYBRIDFLOW_TEST_MODEL");
  const char* home = std::getenv("HOME");
  const std::string path = given != nullptr
                               ? given
                               : std::string(home != nullptr ? home : "") +
                                     "/.cache/hybridflow/models/smollm2-135m-instruct.gguf";
  return std::filesystem::exists(path) ? path : "";
}

#define HF_NEED_TEST_MODEL()                                                               \
  if (test_model().empty()) {                                                              \
    GTEST_SKIP() << "No test model: set HYBRIDFLOW_TEST_MODEL to a small GGUF chat model"; \
  }

struct Reply {
  int status = 0;
  std::string body;
  std::size_t chunks = 0;
  net::CallError error = net::CallError::kNone;
  Duration took{};

  [[nodiscard]] bool has(std::string_view text) const {
    return body.find(text) != std::string::npos;
  }
};

class Rig {
 public:
  explicit Rig(Worker::Options work, Service::Options options = {})
      : worker_(std::move(work),
                CoreLease::open({.directory = directory_.path(), .cores = 1, .most = 1}).value(),
                {.ready =
                     [this](const Model& model) {
                       loop_.post([this, &model] {
                         service_->model_is_ready(model);
                         is_ready_ = true;
                       });
                     },
                 .failed = [](const Error&) {}},
                stats_) {
    if (options.name.empty()) options.name = "test";
    service_ = std::make_unique<Service>(loop_, worker_, stats_, std::move(options));
    server_ = net::HttpServer::listen(loop_, "127.0.0.1:0", [this](auto request, auto responder) {
                service_->handle(std::move(request), std::move(responder));
              }).value();
    client_ = net::HttpClient::create(loop_);
  }

  // Starts a call; its reply is complete after run() returned as often as calls were started.
  net::HttpClient::Id start(std::string method, const std::string& path, std::string body,
                            std::shared_ptr<Reply> reply) {
    ++open_;
    net::Call call{.method = std::move(method), .url = "http://" + server_->address() + path};
    call.body = std::move(body);
    const TimePoint begin = loop_.now();
    return client_->start(std::move(call),
                          {.on_bytes =
                               [this, reply](int status, std::string_view bytes) {
                                 reply->status = status;
                                 reply->body += bytes;
                                 ++reply->chunks;
                                 if (on_bytes) on_bytes();
                               },
                           .on_done =
                               [this, reply, begin](const net::CallResult& result) {
                                 reply->status = result.status;
                                 reply->error = result.error;
                                 reply->took = loop_.now() - begin;
                                 if (--open_ == 0) loop_.stop();
                               }});
  }
  void run() { loop_.run(); }
  void cancel(net::HttpClient::Id id) {
    client_->cancel(id);
    --open_;
  }

  Reply ask(std::string method, const std::string& path, std::string body = {}) {
    auto reply = std::make_shared<Reply>();
    start(std::move(method), path, std::move(body), reply);
    run();
    return *reply;
  }
  Reply chat(std::string body) { return ask("POST", "/v1/chat/completions", std::move(body)); }

  [[nodiscard]] const Stats& stats() const { return stats_; }
  std::function<void()> on_bytes;  // After every piece of any reply.

 private:
  TemporaryDirectory directory_;
  net::EventLoop loop_;
  Stats stats_;
  std::unique_ptr<Service> service_;
  bool is_ready_ = false;
  int open_ = 0;
  Worker worker_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::HttpClient> client_;
};

}  // namespace hf::engine
