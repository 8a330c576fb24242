#include "load/stub.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <queue>
#include <vector>

#include "load/http_reader.h"
#include "load/socket.h"

namespace hf::load {
namespace {

constexpr std::uint64_t kListener = ~std::uint64_t{0};
constexpr std::size_t kBodyBytesMax = 1024 * 1024;

std::string whole(int status, std::string_view reason, std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
      reason, body.size(), body);
}

// An event of a stream as a chunk of HTTP's own.
std::string event(std::string_view data) {
  const std::string text = fmt::format("data: {}\n\n", data);
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

std::string piece(std::string_view delta, std::string_view finish) {
  return event(
      fmt::format(R"({{"id":"chatcmpl-stub","object":"chat.completion.chunk","created":1700000000,)"
                  R"("model":"stub","choices":[{{"index":0,"delta":{},"finish_reason":{}}}]}})",
                  delta, finish));
}

std::string usage(std::uint32_t tokens) {
  return fmt::format(R"({{"prompt_tokens":8,"completion_tokens":{},"total_tokens":{}}})", tokens,
                     std::uint64_t{tokens} + 8);
}

bool has(std::string_view body, std::string_view name) {
  const auto at = body.find(name);
  if (at == std::string_view::npos) return false;
  const auto value = body.find_first_not_of(" \t\r\n", at + name.size());
  return value != std::string_view::npos && body.substr(value).starts_with("true");
}

struct Answers {
  std::string completion =
      whole(200, "OK",
            fmt::format(R"({{"id":"chatcmpl-stub","object":"chat.completion","created":1700000000,)"
                        R"("model":"stub","choices":[{{"index":0,"message":{{"role":"assistant",)"
                        R"("content":"{}"}},"finish_reason":"stop"}}],"usage":{}}})",
                        kTick, usage(1)));
  std::string models =
      whole(200, "OK",
            R"({"object":"list","data":[{"id":"stub","object":"model","created":1700000000,)"
            R"("owned_by":"stub"}]})");
  std::string missing =
      whole(404, "Not Found",
            R"({"error":{"message":"No such path.","type":"invalid_request_error","param":null,)"
            R"("code":"not_found"}})");
  std::string stream_head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
      piece(R"({"role":"assistant","content":""})", "null");
  std::string tick = piece(fmt::format(R"({{"content":"{} "}})", kTick), "null");
  std::string stop = piece("{}", R"("stop")");
  std::string done = event("[DONE]") + "0\r\n\r\n";
};

}  // namespace

class Stub::Server {
 public:
  Server(File listener, Poller poller, const Shared& shared)
      : listener_(std::move(listener)), poller_(std::move(poller)), shared_(shared) {
    poller_.add(listener_, EPOLLIN, kListener);
  }

  [[noreturn]] void run() {
    for (;;) {
      std::optional<TimePoint> next;
      if (!due_.empty()) next = due_.top().at;
      for (const epoll_event& event : poller_.wait(next)) {
        if (event.data.u64 == kListener) {
          accept_all();
        } else {
          serve(event);
        }
      }
      for (const TimePoint time = now(); !due_.empty() && due_.top().at <= time;) {
        const Due due = due_.top();
        due_.pop();
        Connection* connection = connections_[due.index].get();
        if (connection != nullptr && connection->serial == due.serial) proceed(*connection, time);
      }
    }
  }

 private:
  struct Connection {
    File file;
    std::size_t index = 0;
    std::uint64_t serial = 0;  // Tells it from others that had the index before.
    HttpReader reader{HttpReader::Kind::kRequest};
    std::string in;          // Came while an answer was under way.
    std::string body;        // Of the request.
    std::string out;         // Not yet taken by the system.
    std::string_view whole;  // The answer, unless it is a stream.
    bool is_answering = false;
    bool wants_usage = false;
    bool keeps_alive = true;
    std::uint32_t chunk = 0;
    StubPace pace;
    TimePoint begin;
  };
  struct Due {
    TimePoint at;
    std::size_t index;
    std::uint64_t serial;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void accept_all() {
    while (File file = accept_from(listener_)) {
      const auto index = static_cast<std::size_t>(file.number());
      if (connections_.size() <= index) connections_.resize(index + 1);
      poller_.add(file, EPOLLIN, index);
      auto connection = std::make_unique<Connection>();
      connection->file = std::move(file);
      connection->index = index;
      connection->serial = ++serials_;
      connections_[index] = std::move(connection);
    }
  }

  void serve(const epoll_event& event) {
    const std::size_t index = event.data.u64;
    if (!connections_[index]) return;
    Connection& connection = *connections_[index];
    if ((event.events & EPOLLOUT) != 0 && !flush(connection)) return;
    if ((event.events & ~std::uint32_t{EPOLLOUT}) == 0) return;
    const auto [io, bytes] = receive(connection.file, buffer_);
    if (io == Io::kClosed) return connections_[index].reset();
    take(connection, std::string_view(buffer_.data(), bytes));
  }

  // Reads requests until one has to wait for its answer.
  void take(Connection& connection, std::string_view bytes) {
    const std::size_t index = connection.index;
    while (!bytes.empty()) {
      if (connection.is_answering) {
        connection.in.append(bytes);
        if (connection.in.size() > kBodyBytesMax) connections_[index].reset();
        return;
      }
      const auto [used, body] = connection.reader.feed(bytes);
      connection.body.append(body);
      bytes.remove_prefix(used);
      const auto state = connection.reader.state();
      if (state == HttpReader::State::kBad || connection.body.size() > kBodyBytesMax) {
        return connections_[index].reset();
      }
      if (state == HttpReader::State::kDone && !begin_answer(connection)) return;
    }
  }

  // False if the connection is gone.
  bool begin_answer(Connection& connection) {
    const HttpReader& request = connection.reader;
    const bool is_chat =
        request.method() == "POST" && request.target().ends_with("/chat/completions");
    const bool is_list = request.method() == "GET" && request.target().ends_with("/models");
    const bool is_stream = is_chat && has(connection.body, R"("stream":)");
    connection.wants_usage = is_stream && has(connection.body, R"("include_usage":)");
    connection.whole = is_stream ? std::string_view{}
                       : is_chat ? answers_.completion
                       : is_list ? answers_.models
                                 : answers_.missing;
    connection.pace = {};
    if (is_chat) {
      connection.pace = {.delay = Duration(shared_.delay.load(std::memory_order_relaxed)),
                         .chunks = shared_.chunks.load(std::memory_order_relaxed),
                         .gap = Duration(shared_.gap.load(std::memory_order_relaxed))};
    }
    connection.keeps_alive = request.keeps_alive();
    connection.is_answering = true;
    connection.chunk = 0;
    connection.body.clear();
    connection.reader.reset();
    connection.begin = now() + connection.pace.delay;
    if (connection.pace.delay > Duration{}) {
      due_.push({connection.begin, connection.index, connection.serial});
      return true;
    }
    return proceed(connection, connection.begin);
  }

  // Sends what is due. False if the connection is gone.
  bool proceed(Connection& connection, TimePoint time) {
    if (!connection.whole.empty()) {
      send(connection, connection.whole);
      return end_answer(connection);
    }
    std::string text;
    const auto moment = [&] { return connection.begin + connection.pace.gap * connection.chunk; };
    while (connection.chunk < connection.pace.chunks && moment() <= time) {
      if (connection.chunk++ == 0) text += answers_.stream_head;
      text += answers_.tick;
    }
    if (connection.chunk < connection.pace.chunks) {
      due_.push({moment(), connection.index, connection.serial});
      send(connection, text);
      return true;
    }
    text += answers_.stop;
    if (connection.wants_usage) {
      text += event(fmt::format(
          R"({{"id":"chatcmpl-stub","object":"chat.completion.chunk","created":1700000000,)"
          R"("model":"stub","choices":[],"usage":{}}})",
          usage(connection.pace.chunks)));
    }
    text += answers_.done;
    send(connection, text);
    return end_answer(connection);
  }

  bool end_answer(Connection& connection) {
    const std::size_t index = connection.index;
    if (!connection.keeps_alive && connection.out.empty()) {
      connections_[index].reset();
      return false;
    }
    connection.is_answering = false;
    if (!connection.in.empty()) take(connection, std::exchange(connection.in, {}));
    return connections_[index] != nullptr;
  }

  // A connection that breaks here is seen by the next read.
  void send(Connection& connection, std::string_view text) {
    if (connection.out.empty()) text.remove_prefix(transmit(connection.file, text).bytes);
    if (text.empty()) return;
    if (connection.out.empty()) {
      poller_.change(connection.file, EPOLLIN | EPOLLOUT, connection.index);
    }
    connection.out.append(text);
  }

  // False if the connection is gone.
  bool flush(Connection& connection) {
    const auto [io, bytes] = transmit(connection.file, connection.out);
    connection.out.erase(0, bytes);
    const bool is_over =
        !connection.keeps_alive && !connection.is_answering && connection.out.empty();
    if (io == Io::kClosed || is_over) {
      connections_[connection.index].reset();
      return false;
    }
    if (connection.out.empty()) poller_.change(connection.file, EPOLLIN, connection.index);
    return true;
  }

  File listener_;
  Poller poller_;
  const Shared& shared_;
  const Answers answers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::uint64_t serials_ = 0;
  std::array<char, 64 * 1024> buffer_{};
};

void Stub::Unmap::operator()(Shared* shared) const {
  ::munmap(shared, sizeof(Shared));
}

Result<std::unique_ptr<Stub>> Stub::start(std::string_view address) {
  HF_TRY(const Address wanted, resolve(address));
  HF_TRY(File listener, listen_at(wanted));
  HF_TRY(Poller poller, Poller::create());
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(Code::kInternal, "There is no memory to share.");
  std::unique_ptr<Stub> stub(new Stub);
  stub->shared_.reset(new (memory) Shared);
  stub->port_ = port_of(address_of(listener));
  stub->address_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')), stub->port_);
  HF_TRY(stub->process_, Process::fork([&] {
           ::prctl(PR_SET_TIMERSLACK, 1);
           Server(std::move(listener), std::move(poller), *stub->shared_).run();
         }));
  return stub;
}

void Stub::set(const StubPace& pace) {
  shared_->delay = pace.delay.count();
  shared_->gap = pace.gap.count();
  shared_->chunks = pace.chunks;
}

}  // namespace hf::load
