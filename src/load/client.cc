#include "load/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "load/http_reader.h"
#include "load/stub.h"

namespace hf::load {
namespace {

constexpr Duration kConnectTime = std::chrono::seconds(5);
constexpr Duration kRetryTime = std::chrono::milliseconds(10);
constexpr Duration kSpin = std::chrono::microseconds(50);
constexpr std::size_t kErrorBytesMax = 200;

std::string printable(std::string_view text) {
  std::string line(text.substr(0, kErrorBytesMax));
  for (char& c : line) {
    if (c < ' ' || c > '~') c = ' ';
  }
  return line;
}

// How often the word of the stub's chunks has come, however it was cut on the way.
class TickCounter {
 public:
  std::uint32_t count(std::string_view bytes) {
    std::uint32_t found = 0;
    for (const char c : bytes) {
      matched_ = c == kTick[matched_] ? matched_ + 1 : (c == kTick[0] ? 1 : 0);
      if (matched_ < kTick.size()) continue;
      ++found;
      matched_ = 0;
    }
    return found;
  }

 private:
  std::size_t matched_ = 0;
};

class Load {
 public:
  Load(const Target& target, const LoadOptions& options, Poller poller)
      : target_(target),
        options_(options),
        request_(chat_request(target, options.chunks > 0)),
        poller_(std::move(poller)),
        connections_(static_cast<std::size_t>(options.connections)) {}

  Result<LoadResult> run() {
    HF_CHECK(connect_all());
    begin_ = now();
    count_from_ = begin_ + options_.warm_up;
    end_ = begin_ + options_.length;
    const TimePoint deadline = end_ + options_.drain;
    for (TimePoint time = begin_; time < deadline; time = now()) {
      if (is_stopped()) return stopped();
      start_due(time);
      if (time >= end_ && busy_ == 0 && !is_waiting()) break;
      handle(poller_.wait(std::min(next_moment(), deadline),
                          options_.loop == Loop::kOpen ? kSpin : Duration{}));
      reopen_due();
    }
    give_up_rest();
    result_.per_second = static_cast<double>(result_.requests - result_.errors) /
                         std::chrono::duration<double>(end_ - count_from_).count();
    return std::move(result_);
  }

 private:
  enum class State { kDown, kConnecting, kIdle, kBusy };
  struct Connection {
    State state = State::kDown;
    File file;
    HttpReader reader{HttpReader::Kind::kResponse};
    std::size_t sent = 0;     // Bytes of the request.
    bool is_in_loop = false;  // Closed: sends its next request by itself.
    TimePoint planned;        // When its request was due.
    TickCounter ticks;
    std::uint32_t chunks = 0;  // Of this answer so far.
    TimePoint last_chunk;
    std::string body;  // Of an answer that is an error.
  };
  struct Retry {
    TimePoint at;
    std::size_t index;
  };

  [[nodiscard]] bool is_stopped() const { return options_.stop != nullptr && *options_.stop; }
  static std::unexpected<Error> stopped() { return fail(Code::kCancelled, "Stopped."); }

  Result<void> connect_all() {
    for (std::size_t i = 0; i < connections_.size(); ++i) HF_CHECK(open(i));
    for (const TimePoint until = now() + kConnectTime; idle_.size() < connections_.size();) {
      if (is_stopped()) return stopped();
      if (now() >= until || result_.errors > 0) {
        return fail(
            Code::kUnavailable,
            fmt::format("{}: {} of {} connections could be made{}{}.", target_.host, idle_.size(),
                        connections_.size(), result_.errors > 0 ? ": " : "", result_.first_error));
      }
      handle(poller_.wait(until));
    }
    return {};
  }

  Result<void> open(std::size_t index) {
    Connection& connection = connections_[index];
    HF_TRY(connection.file, connect_to(target_.address));
    connection.state = State::kConnecting;
    poller_.add(connection.file, EPOLLOUT, index);
    return {};
  }

  [[nodiscard]] TimePoint planned(std::uint64_t k) const {
    const double number = static_cast<double>(k);
    if (options_.loop == Loop::kOpen) return begin_ + seconds(number / options_.rate);
    return begin_ + options_.spread * static_cast<int>(k) / options_.connections;
  }
  static Duration seconds(double value) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
  }

  // A request is planned that has not been sent.
  [[nodiscard]] bool is_planned() const {
    const bool is_all = options_.loop == Loop::kClosed && next_ >= connections_.size();
    return !is_all && planned(next_) < end_;
  }
  // It is late because no connection is free.
  [[nodiscard]] bool is_waiting() const { return is_planned() && planned(next_) <= now(); }

  void start_due(TimePoint time) {
    while (is_planned() && planned(next_) <= time) {
      while (!idle_.empty() && connections_[idle_.back()].state != State::kIdle) idle_.pop_back();
      if (idle_.empty()) return;
      const std::size_t index = idle_.back();
      idle_.pop_back();
      connections_[index].is_in_loop = options_.loop == Loop::kClosed;
      start(index, planned(next_++));
    }
  }

  [[nodiscard]] TimePoint next_moment() const {
    TimePoint moment = now() < end_ ? end_ : TimePoint::max();
    if (is_planned() && !idle_.empty()) moment = std::min(moment, planned(next_));
    if (!retries_.empty()) moment = std::min(moment, retries_.front().at);
    return moment;
  }

  void start(std::size_t index, TimePoint due) {
    Connection& connection = connections_[index];
    connection.state = State::kBusy;
    connection.reader.reset();
    connection.sent = 0;
    connection.planned = due;
    connection.last_chunk = due;
    connection.chunks = 0;
    connection.ticks = {};
    ++busy_;
    send(index);
  }

  void send(std::size_t index) {
    Connection& connection = connections_[index];
    const bool was_begun = connection.sent > 0;
    const auto [io, bytes] =
        transmit(connection.file, std::string_view(request_).substr(connection.sent));
    if (io == Io::kClosed) return finish(index, "the connection was closed");
    connection.sent += bytes;
    const bool is_whole = connection.sent == request_.size();
    if (!is_whole) poller_.change(connection.file, EPOLLIN | EPOLLOUT, index);
    if (is_whole && was_begun) poller_.change(connection.file, EPOLLIN, index);
  }

  void handle(std::span<const epoll_event> events) {
    for (const epoll_event& event : events) {
      const std::size_t index = event.data.u64;
      switch (connections_[index].state) {
        case State::kDown:
          break;
        case State::kConnecting:
          become_connected(index);
          break;
        case State::kIdle:
          reopen(index);  // Only a closed one has news.
          break;
        case State::kBusy:
          if ((event.events & EPOLLOUT) != 0) send(index);
          if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) read(index);
      }
    }
  }

  void become_connected(std::size_t index) {
    Connection& connection = connections_[index];
    if (const int error = connection_error(connection.file); error != 0) {
      count(now(), std::strerror(error));
      return retry_later(index);
    }
    poller_.change(connection.file, EPOLLIN, index);
    become_idle(index);
  }

  void become_idle(std::size_t index) {
    Connection& connection = connections_[index];
    connection.state = State::kIdle;
    const TimePoint time = now();
    if (!connection.is_in_loop) {
      idle_.push_back(index);
    } else if (time < end_) {
      start(index, time);
    }
  }

  void read(std::size_t index) {
    Connection& connection = connections_[index];
    if (connection.state != State::kBusy) return;
    const auto [io, size] = receive(connection.file, buffer_);
    if (io == Io::kClosed) connection.reader.end();
    std::string_view bytes(buffer_.data(), size);
    using Reading = HttpReader::State;
    Reading state = connection.reader.state();
    while (!bytes.empty() && state != Reading::kDone && state != Reading::kBad) {
      const auto [used, body] = connection.reader.feed(bytes);
      bytes.remove_prefix(used);
      take_body(connection, body);
      state = connection.reader.state();
    }
    if (state == Reading::kBad) {
      return finish(index, io == Io::kClosed ? "the connection was closed" : "no valid HTTP");
    }
    if (state != Reading::kDone) return;
    if (const int status = connection.reader.status(); status != 200) {
      return finish(index, fmt::format("status {}: {}", status, printable(connection.body)));
    }
    finish(index, connection.chunks < options_.chunks ? "the stream lacks chunks" : "");
  }

  void take_body(Connection& connection, std::string_view body) {
    if (body.empty()) return;
    if (connection.reader.status() != 200) {
      if (connection.body.size() < kErrorBytesMax) connection.body.append(body);
      return;
    }
    if (options_.chunks == 0) return;
    const std::uint32_t found = connection.ticks.count(body);
    if (found == 0) return;
    const TimePoint time = now();
    const bool is_counted = connection.planned >= count_from_;
    for (std::uint32_t i = 0; i < found; ++i, connection.last_chunk = time) {
      if (!is_counted) continue;
      const Duration gap = time - connection.last_chunk;
      if (connection.chunks + i == 0) {
        result_.latency.record(gap);
        continue;
      }
      result_.jitter.record(std::chrono::abs(gap - options_.gap));
      if (gap > kStall) ++result_.stalls;
    }
    connection.chunks += found;
  }

  void finish(std::size_t index, std::string_view error) {
    Connection& connection = connections_[index];
    --busy_;
    if (connection.reader.status() != 0) ++result_.answered;
    if (connection.planned >= count_from_) {
      if (options_.chunks == 0 || connection.chunks == 0) {
        result_.latency.record(now() - connection.planned);
      }
      if (connection.reader.status() == 200) {
        const std::uint32_t wanted = options_.chunks;
        result_.chunks_lost += wanted - std::min(wanted, connection.chunks);
        result_.chunks_doubled += connection.chunks - std::min(wanted, connection.chunks);
      }
    }
    count(connection.planned, error);
    connection.body.clear();
    if (connection.reader.state() == HttpReader::State::kDone && connection.reader.keeps_alive()) {
      become_idle(index);
    } else {
      reopen(index);
    }
  }

  // One more request that was due then; what was wrong with it, or nothing.
  void count(TimePoint due, std::string_view error) {
    if (due < count_from_) return;
    ++result_.requests;
    if (error.empty()) return;
    ++result_.errors;
    if (result_.first_error.empty()) result_.first_error = error;
  }

  void reopen(std::size_t index) {
    if (!open(index)) retry_later(index);
  }

  void retry_later(std::size_t index) {
    connections_[index].state = State::kDown;
    connections_[index].file = {};
    retries_.push_back({now() + kRetryTime, index});
  }

  void reopen_due() {
    while (!retries_.empty() && retries_.front().at <= now()) {
      const std::size_t index = retries_.front().index;
      retries_.pop_front();
      reopen(index);
    }
  }

  // What is under way or was never sent counts as an error that took until now.
  void give_up_rest() {
    for (Connection& connection : connections_) {
      if (connection.state != State::kBusy || connection.planned < count_from_) continue;
      if (connection.chunks == 0) result_.latency.record(now() - connection.planned);
      count(connection.planned, "no answer in time");
    }
    for (; is_planned(); ++next_) {
      if (planned(next_) < count_from_) continue;
      result_.latency.record(now() - planned(next_));
      count(planned(next_), "not sent: no connection was free in time");
    }
  }

  const Target& target_;
  const LoadOptions& options_;
  const std::string request_;
  Poller poller_;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;  // The last used first; may hold some that are not idle any more.
  std::deque<Retry> retries_;
  LoadResult result_;
  TimePoint begin_;
  TimePoint count_from_;
  TimePoint end_;
  std::uint64_t next_ = 0;  // Of the schedule.
  int busy_ = 0;
  std::array<char, 64 * 1024> buffer_{};
};

Result<void> await(Poller& poller, TimePoint until) {
  if (poller.wait(until).empty() && now() >= until) {
    return fail(Code::kDeadline, "No answer in time.");
  }
  return {};
}

}  // namespace

Result<Target> target_of(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return fail(
        Code::kInvalidInput,
        fmt::format("'{}' does not begin with http://: the load is sent without TLS.", url));
  }
  url.remove_prefix(kScheme.size());
  const auto slash = std::min(url.find('/'), url.size());
  Target target;
  target.host = url.substr(0, slash);
  target.prefix = url.substr(slash);
  while (target.prefix.ends_with('/')) target.prefix.pop_back();
  const bool is_bare_ipv6 = target.host.ends_with(']');
  const bool has_port = !is_bare_ipv6 && target.host.find(':') != std::string::npos;
  HF_TRY(target.address, resolve(has_port ? target.host : target.host + ":80"));
  return target;
}

std::string chat_request(const Target& target, bool is_stream) {
  const std::string body =
      fmt::format(R"({{"model":"{}","messages":[{{"role":"user","content":"What is 17 + 25?"}}],)"
                  R"("max_tokens":16{}}})",
                  target.model, is_stream ? R"(,"stream":true)" : "");
  const std::string key =
      target.key.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", target.key);
  return fmt::format(
      "POST {}/chat/completions HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      target.prefix, target.host, key, body.size(), body);
}

Result<LoadResult> run_load(const Target& target, const LoadOptions& options) {
  HF_TRY(Poller poller, Poller::create());
  return Load(target, options, std::move(poller)).run();
}

Result<Answer> ask_once(const Target& target, bool is_stream, TimePoint until) {
  HF_TRY(Poller poller, Poller::create());
  HF_TRY(const File file, connect_to(target.address));
  poller.add(file, EPOLLOUT, 0);
  HF_CHECK(await(poller, until));
  if (const int error = connection_error(file); error != 0) {
    return fail(Code::kUnavailable, fmt::format("{}: {}.", target.host, std::strerror(error)));
  }
  const std::string request = chat_request(target, is_stream);
  if (transmit(file, request).bytes != request.size()) {
    return fail(Code::kUnavailable, fmt::format("{} takes no request.", target.host));
  }
  poller.change(file, EPOLLIN, 0);
  HttpReader reader(HttpReader::Kind::kResponse);
  std::string body;
  std::vector<char> buffer(64 * 1024);
  while (reader.state() != HttpReader::State::kDone) {
    HF_CHECK(await(poller, until));
    const auto [io, size] = receive(file, buffer);
    if (io == Io::kClosed) reader.end();
    for (std::string_view bytes(buffer.data(), size); !bytes.empty();) {
      if (reader.state() >= HttpReader::State::kDone) break;
      const auto [used, part] = reader.feed(bytes);
      body.append(part);
      bytes.remove_prefix(used);
    }
    if (reader.state() == HttpReader::State::kBad) {
      return fail(Code::kUnavailable, fmt::format("{} sent no whole answer.", target.host));
    }
  }
  return Answer{reader.status(), std::move(body)};
}

}  // namespace hf::load
