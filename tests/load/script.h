// Helpers of the tests: a connection to write bytes to by hand, and a server that does what a
// script says.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "load/client.h"
#include "load/http_reader.h"
#include "load/process.h"
#include "load/socket.h"

namespace hf::load {

inline constexpr Duration kPatience = std::chrono::seconds(20);

// Waits until the socket has news; false after long.
inline bool wait_for(const File& file, short events) {
  pollfd wanted{.fd = file.number(), .events = events, .revents = 0};
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  return ::poll(&wanted, 1, static_cast<int>(time)) > 0;
}

class Wire {
 public:
  explicit Wire(const std::string& address) {
    const auto where = resolve(address);
    EXPECT_TRUE(where);
    auto file = connect_to(*where);
    EXPECT_TRUE(file);
    file_ = *std::move(file);
    EXPECT_TRUE(wait_for(file_, POLLOUT));
    EXPECT_EQ(connection_error(file_), 0);
  }

  void send(std::string_view bytes) { EXPECT_EQ(transmit(file_, bytes).bytes, bytes.size()); }

  Answer receive_answer() {
    HttpReader reader(HttpReader::Kind::kResponse);
    Answer answer;
    while (reader.state() != HttpReader::State::kDone) {
      if (left_.empty() && !fill()) reader.end();
      if (reader.state() == HttpReader::State::kBad) {
        ADD_FAILURE() << "no whole answer";
        break;
      }
      if (left_.empty()) continue;
      const auto [used, body] = reader.feed(left_);
      answer.body.append(body);
      left_.erase(0, used);
    }
    answer.status = reader.status();
    return answer;
  }

  bool is_closed_by_peer() { return left_.empty() && !fill(); }

 private:
  bool fill() {
    std::vector<char> buffer(64 * 1024);
    if (!wait_for(file_, POLLIN)) return false;
    const auto [io, bytes] = receive(file_, buffer);
    left_.append(buffer.data(), bytes);
    return io != Io::kClosed;
  }

  File file_;
  std::string left_;
};

// What a scripted server does with a request.
struct Reply {
  std::string bytes;    // Nothing: it keeps silent.
  bool closes = false;  // Afterwards.
  Duration pause{};     // Before, in which it does nothing else either.
};

inline std::string ok(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

// A process that serves one connection at a time, each until the client closes it.
class ScriptServer {
 public:
  explicit ScriptServer(const std::function<Reply(int request)>& script) {
    const auto any = resolve("127.0.0.1:0");
    auto listener = listen_at(*any);
    EXPECT_TRUE(listener);
    url_ = fmt::format("http://127.0.0.1:{}/v1", port_of(address_of(*listener)));
    auto process = Process::fork([&] { serve(*listener, script); });
    EXPECT_TRUE(process);
    process_ = *std::move(process);
  }

  [[nodiscard]] Target target() const {
    auto target = target_of(url_);
    EXPECT_TRUE(target);
    target->model = "any";
    return *std::move(target);
  }

 private:
  static void serve(const File& listener, const std::function<Reply(int)>& script) {
    for (int request = 0;;) {
      if (!wait_for(listener, POLLIN)) return;
      const File connection = accept_from(listener);
      while (connection && has_request(connection)) {
        const Reply reply = script(request++);
        const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(reply.pause);
        if (pause.count() > 0) ::poll(nullptr, 0, static_cast<int>(pause.count()));
        transmit(connection, reply.bytes);
        if (reply.closes) break;
      }
    }
  }

  static bool has_request(const File& connection) {
    HttpReader reader(HttpReader::Kind::kRequest);
    std::vector<char> buffer(64 * 1024);
    while (reader.state() != HttpReader::State::kDone) {
      if (!wait_for(connection, POLLIN)) return false;
      const auto [io, bytes] = receive(connection, buffer);
      if (io == Io::kClosed) return false;
      for (std::string_view text(buffer.data(), bytes); !text.empty();) {
        if (reader.state() >= HttpReader::State::kDone) return false;
        text.remove_prefix(reader.feed(text).used);
      }
    }
    return true;
  }

  std::string url_;
  Process process_;
};

}  // namespace hf::load
