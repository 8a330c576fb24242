// Any bytes of a client: the server hands on well-formed requests and nothing else, answers each in
// order with valid HTTP, and has nothing left to do when the client is gone.
//
// The first byte says how the handler answers and the second how the client behaves: in how many
// pieces it sends, and whether it waits for the answers or leaves.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "net/http_server.h"
#include "net/response_parser.h"

namespace {

using namespace hf::net;
using Answer = std::shared_ptr<Responder>;

constexpr int kTurnsMax = 20'000;  // Far more than any input needs.
constexpr ServerLimits kLimits{.connections = 4,
                               .header_bytes = 2'048,
                               .header_count = 16,
                               .body_bytes = 1'024,
                               .buffered_bytes = 16 * 1024};

bool is_token(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7F';
}

void check(const Request& request) {
  HF_ASSERT(!request.method.empty() && std::ranges::all_of(request.method, is_token));
  HF_ASSERT(request.path.starts_with('/') || request.path == "*");
  for (const std::string& part : {request.path, request.query})
    HF_ASSERT(std::ranges::none_of(part, [](char c) { return is_control(c) || c == ' '; }));
  HF_ASSERT(!request.path.contains('?'));
  HF_ASSERT(request.headers.size() <= kLimits.header_count);
  HF_ASSERT(request.body.size() <= kLimits.body_bytes);
  int lengths = 0;
  for (const auto& [name, value] : request.headers) {
    HF_ASSERT(!name.empty() && std::ranges::all_of(name, is_token));
    HF_ASSERT(std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }));
    HF_ASSERT(std::ranges::none_of(value, [](char c) { return is_control(c) && c != '\t'; }));
    if (name == "content-length" || name == "transfer-encoding") ++lengths;
    if (name == "content-length") HF_ASSERT(std::stoull(value) == request.body.size());
  }
  HF_ASSERT(lengths <= 1 && (lengths == 1 || request.body.empty()));
}

// One server and one client, on one thread.
class Exchange {
 public:
  Exchange(std::uint8_t way, std::uint8_t manner)
      : way_(way),
        manner_(manner),
        path_("/tmp/hybridflow-http-fuzz-" + std::to_string(::getpid()) + ".sock") {
    auto made = HttpServer::listen(
        loop_, "unix:" + path_,
        [this](const Request& request, const Answer& answer) { take(request, answer); }, kLimits);
    HF_ASSERT(made.has_value());
    server_ = *std::move(made);
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    std::strncpy(name.sun_path, path_.c_str(), sizeof name.sun_path - 1);
    client_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    HF_ASSERT(::connect(client_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { leave(); }

  void run(std::string_view bytes) {
    const std::size_t piece = 1 + bytes.size() / (1 + manner_ % 4);
    for (std::size_t at = 0; at < bytes.size() && !is_over_; at += piece) {
      send(bytes.substr(at, piece));
      turn();
    }
    if ((manner_ & 8) != 0) {
      leave();
    } else {
      wait_for_answers();
      ::shutdown(client_, SHUT_WR);
      for (int i = 0; !is_over_; ++i) {
        HF_ASSERT(i < kTurnsMax);
        turn();
      }
      check_answers();
    }
    server_->drain([this] { is_drained_ = true; });
    for (int i = 0; !is_drained_; ++i) {
      HF_ASSERT(i < kTurnsMax);
      turn();
    }
    for (const Answer& answer : kept_) HF_ASSERT(!answer->is_open());
    HF_ASSERT(gone_ <= is_head_.size());  // Nobody is told twice.
  }

 private:
  // How each request is answered: whole, streamed, in a later turn, not at all, without a body.
  void take(const Request& request, const Answer& answer) {
    check(request);
    is_head_.push_back(request.method == "HEAD");
    const std::string body = request.path + "?" + request.query + "\n" + request.body;
    switch (way_ % 5) {
      case 0:
        kept_.push_back(answer);
        return answer->send(200, "text/plain", body);
      case 1:
        kept_.push_back(answer);
        return stream(answer, body);
      case 2:
        answer->on_close([this] { ++gone_; });
        return loop_.post([this, answer, body] {
          answer->begin(200, "text/event-stream", {{"x", "y"}});
          loop_.post([answer, body] { stream_rest(answer, body); });
        });
      case 3:
        return;
      default:
        kept_.push_back(answer);
        return answer->send(204, "", "");
    }
  }
  static void stream(const Answer& answer, const std::string& body) {
    answer->begin(200, "text/event-stream");
    stream_rest(answer, body);
  }
  static void stream_rest(const Answer& answer, const std::string& body) {
    for (std::size_t at = 0; at < body.size(); at += 100) {
      if (!answer->write(std::string_view(body).substr(at, 100))) return;
    }
    answer->end();
  }

  void send(std::string_view bytes) {
    for (int i = 0; !bytes.empty() && !is_over_; ++i) {
      HF_ASSERT(i < kTurnsMax);
      const auto sent = ::send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return;  // The server has had enough.
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (!bytes.empty()) turn();
    }
  }
  // Lets the server do what it can, and reads what it says.
  void turn() {
    for (int i = 0; i < 4; ++i) {
      loop_.post([this] { loop_.stop(); });
      loop_.run();
    }
    char chunk[4096];
    while (client_ >= 0 && !is_over_) {
      const auto count = ::recv(client_, chunk, sizeof chunk, MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        is_over_ = true;
      } else {
        told_.append(chunk, static_cast<std::size_t>(count));
      }
    }
  }
  // Until nothing has happened for some turns. A client that ends its side earlier has left, and
  // is owed nothing.
  void wait_for_answers() {
    std::size_t seen = 0;
    for (int quiet = 0; quiet < 16 && !is_over_; ++quiet) {
      turn();
      if (std::exchange(seen, told_.size() + is_head_.size()) != seen) quiet = 0;
    }
  }
  void leave() {
    if (client_ >= 0) ::close(std::exchange(client_, -1));
  }

  // What the server said is an answer to each request in order, and perhaps a refusal of the rest.
  void check_answers() {
    std::string_view rest = told_;
    for (std::size_t i = 0; i < is_head_.size(); ++i) {
      const int status = take_answer(rest, is_head_[i]);
      HF_ASSERT(status == (way_ % 5 == 3 ? 500 : way_ % 5 == 4 ? 204 : 200));
    }
    if (rest.empty()) return;
    const int status = take_answer(rest, true);  // What was refused may have been a HEAD.
    HF_ASSERT((status >= 400 && status < 500) || status == 0);
    HF_ASSERT(rest.empty() || rest.starts_with('{'));
  }
  // The status of the answer at the beginning of `rest`, which is taken from it; 0: only
  // "continue".
  static int take_answer(std::string_view& rest, bool is_head) {
    ResponseParser parser(is_head);
    while (!rest.empty() && !parser.is_done() && parser.error() == CallError::kNone) {
      char byte = rest.front();
      parser.push({&byte, 1});
      rest.remove_prefix(1);
    }
    if (!parser.has_head()) {
      HF_ASSERT(parser.error() == CallError::kNone);
      return 0;
    }
    if (!parser.is_done()) parser.end();
    HF_ASSERT(parser.is_done());
    return parser.head().status;
  }

  const std::uint8_t way_;
  const std::uint8_t manner_;
  const std::string path_;
  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
  int client_ = -1;
  bool is_over_ = false;  // The server has closed.
  bool is_drained_ = false;
  std::string told_;           // By the server.
  std::vector<bool> is_head_;  // Of each request, whether it was a HEAD.
  std::vector<Answer> kept_;   // Beyond their answer's end.
  std::size_t gone_ = 0;       // Calls of on_close.
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Exchange(data[0], data[1]).run({reinterpret_cast<const char*>(data) + 2, size - 2});
  return 0;
}
