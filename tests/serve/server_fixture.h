// A server over a runtime over scripted endpoints, and a responder that keeps what it is told.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../runtime/runtime_fixture.h"
#include "serve/server.h"
#include "wire/json.h"

namespace hf::serve {

// What a client of one request would have got.
struct Got {
  int status = 0;  // 0: nothing yet.
  std::string type;
  std::string body;  // Of a stream: all that was written.
  net::Headers headers;
  bool is_over = false;
  bool is_gone = false;  // The test's client has left.
  std::move_only_function<void()> gone;

  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
  // A member of the body's JSON by its path: "error.code". Empty if it is not there.
  [[nodiscard]] std::string at(std::string_view path) const { return member_of(body, path); }
  // The data of each event of a stream.
  [[nodiscard]] std::vector<std::string> events() const {
    std::vector<std::string> events;
    std::string_view rest = body;
    while (rest.starts_with("data: ")) {
      const std::size_t end = rest.find("\n\n");
      events.emplace_back(rest.substr(6, end - 6));
      rest.remove_prefix(end + 2);
    }
    EXPECT_TRUE(rest.empty()) << body;
    return events;
  }

  static std::string member_of(std::string_view text, std::string_view path) {
    auto parsed = wire::parse_json(text);
    if (!parsed) return "";
    wire::json::value value = *std::move(parsed);
    while (!path.empty()) {
      const std::string_view key = path.substr(0, path.find('.'));
      path.remove_prefix(std::min(path.size(), key.size() + 1));
      const wire::json::value* next = nullptr;
      if (const auto* object = value.if_object()) next = wire::find(*object, key);
      if (const auto* array = value.if_array(); array != nullptr && !array->empty())
        next = &array->front();
      if (next == nullptr) return "";
      value = wire::json::value(*next);
    }
    return value.is_string() ? std::string(value.get_string()) : wire::to_text(value);
  }
};

// The usual endpoint.
inline void answer_seven(const Asked&, const Answer& answer) {
  stream(*answer, "It is 7.");
}

// A folder of the running test's own.
class TestFolder {
 public:
  TestFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("hf-serve-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] std::filesystem::path file(const char* name) const { return path_ / name; }

 private:
  const std::filesystem::path path_;
};

class KeepingResponder final : public net::Responder {
 public:
  explicit KeepingResponder(std::shared_ptr<Got> got) : got_(std::move(got)) {}

  void send(int status, std::string_view type, std::string body, net::Headers headers) override {
    begin(status, type, std::move(headers));
    write(body);
    end();
  }
  void begin(int status, std::string_view type, net::Headers headers) override {
    if (!is_open()) return;
    EXPECT_EQ(got_->status, 0) << "it was answered twice";
    got_->status = status;
    got_->type = type;
    got_->headers = std::move(headers);
  }
  bool write(std::string_view bytes) override {
    if (is_open()) got_->body += bytes;
    return is_open();
  }
  void end() override { got_->is_over = got_->is_over || is_open(); }
  void on_close(std::move_only_function<void()> gone) override { got_->gone = std::move(gone); }
  bool is_open() const override { return !got_->is_over && !got_->is_gone; }

 private:
  std::shared_ptr<Got> got_;
};

class ServerTest : public RuntimeTest {
 protected:
  ~ServerTest() override { server_.reset(); }

  // A server with these endpoints; `change` may change the configuration.
  void serve(std::vector<EndpointConfig> endpoints, const std::function<void(Config&)>& change = {},
             const ServerOptions& options = {.started = 1'800'000'000}) {
    Config config;
    config.endpoints = std::move(endpoints);
    config.policy = "edge";
    if (change) change(config);
    auto made = Runtime::create(loop_, config, {});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = std::make_unique<Server>(loop_, *std::move(made), config, options);
  }
  // The usual pair of endpoints that both answer as `script` says.
  void serve_pair(ScriptedEndpoint& endpoint, const std::function<void(Config&)>& change = {},
                  const ServerOptions& options = {.started = 1'800'000'000}) {
    serve({remote("edge", Tier::kEdge, endpoint), remote("cloud", Tier::kCloud, endpoint)}, change,
          options);
  }

  std::shared_ptr<Got> send(std::string_view method, std::string_view path, std::string body = "",
                            std::string_view type = "application/json") {
    auto got = std::make_shared<Got>();
    net::Request request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    if (!type.empty()) request.headers.emplace_back("content-type", type);
    server_->handle(request, std::make_shared<KeepingResponder>(got));
    return got;
  }
  // `more` goes behind the model and the messages.
  std::shared_ptr<Got> chat(std::string_view more = "", std::string_view model = "hybrid/auto",
                            std::string_view question = "How many?") {
    return send("POST", "/v1/chat/completions",
                R"({"model":")" + std::string(model) +
                    R"(","messages":[{"role":"user","content":")" + std::string(question) +
                    R"("}])" + std::string(more) + "}");
  }
  std::shared_ptr<Got> whole(std::shared_ptr<Got> got) {
    turn_until(loop_, [&] { return got->is_over && server_->running() == 0; });
    return got;
  }
  // The client of `got` leaves.
  void leave(Got& got) {
    got.is_gone = true;
    if (got.gone) std::exchange(got.gone, nullptr)();
  }

  // Begins a stream and does not go on.
  void hang(const Answer& answer, std::string_view text = "") {
    held_.push_back(answer);
    begin_stream(*answer);
    answer->write(text.empty() ? ": waiting\n\n" : text_frame(text));
  }

  std::vector<Answer> held_;  // Of endpoints that never end.
  std::unique_ptr<Server> server_;
};

}  // namespace hf::serve
