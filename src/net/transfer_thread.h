// The thread that drives libcurl for HttpClient: commands in, batches of deliveries out.
//
// It sleeps while nothing happens and is woken at once by a command; the cost of a turn depends on
// what happened, not on how many calls are open. All public functions are thread-safe.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/transfer.h"

namespace hf::net {

// The head of an answer, a piece of its body, or the end of a call.
struct Delivery {
  HttpClient::Id id = 0;
  std::optional<CallHead> head;
  int status = 0;
  std::string bytes;
  std::optional<CallResult> done;
};

class TransferThread {
 public:
  // `announce` is called on the transfer thread when the first delivery since take() is there.
  explicit TransferThread(std::function<void()> announce);
  // Drops every call and joins.
  ~TransferThread();
  TransferThread(const TransferThread&) = delete;
  TransferThread& operator=(const TransferThread&) = delete;

  void start(HttpClient::Id id, Call call);
  // Deliveries of this call may still be in the next take().
  void cancel(HttpClient::Id id);
  void release(HttpClient::Id id);
  [[nodiscard]] std::vector<Delivery> take();

 private:
  struct Command {
    HttpClient::Id id = 0;
    std::unique_ptr<Transfer> transfer;  // To begin; empty: cancel or release.
    bool is_release = false;
  };
  struct Entry {
    std::unique_ptr<Transfer> transfer;
    SteadyTime check_at;  // When its deadlines are looked at; its place in checks_.
  };

  // What libcurl tells us: which sockets to watch, and when to call it at the latest.
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static int on_timer(CURLM* multi, long milliseconds, void* self);

  void command(Command command);
  void wake() const;
  void run();
  [[nodiscard]] bool obey();  // False once it is time to stop.
  void begin(std::unique_ptr<Transfer> transfer);
  void take_head(HttpClient::Id id, CallHead head);
  void take(HttpClient::Id id, int status, std::string_view bytes);
  void wind_up(HttpClient::Id id);
  void check_earlier(HttpClient::Id id, Entry& entry);
  void collect_finished();
  void expire();
  void finish(HttpClient::Id id, CallResult result);
  void drop(HttpClient::Id id);
  void publish();
  void wait();
  [[nodiscard]] int idle_milliseconds() const;

  // Touched by the transfer thread only.
  const Transfer::Sink sink_;
  CURLM* const multi_;
  const int epoll_;
  const int wake_;  // An eventfd, written by command() and the destructor.
  SteadyTime curl_at_ = SteadyTime::max();
  std::unordered_map<HttpClient::Id, Entry> transfers_;
  std::set<std::pair<SteadyTime, HttpClient::Id>> checks_;
  std::vector<Delivery> ready_;  // Of this turn.

  const std::function<void()> announce_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  std::vector<Delivery> outbox_;
  bool is_stopping_ = false;

  std::thread thread_;
};

}  // namespace hf::net
