#include "net/transfer_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>

#include "base/assert.h"

namespace hf::net {
namespace {

constexpr long kPooledMax = 256;  // Idle connections kept for reuse.
constexpr std::chrono::milliseconds kPollMax = std::chrono::hours(1);
constexpr std::chrono::milliseconds kEndingMax = std::chrono::seconds(1);

CURLM* make_multi() {
  // Counted by libcurl; the destructor gives it back.
  HF_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
  CURLM* const multi = curl_multi_init();
  HF_ASSERT(multi != nullptr);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kPooledMax);
  return multi;
}

// Starts a thread that receives no signals: they belong to the loop, and a peer that closes must
// not raise SIGPIPE out of the TLS library.
std::thread without_signals(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

TransferThread::TransferThread(std::function<void()> announce)
    : sink_{.head = [this](HttpClient::Id id, CallHead head) { take_head(id, std::move(head)); },
            .bytes = [this](HttpClient::Id id, int status,
                            std::string_view bytes) { take(id, status, bytes); }},
      multi_(make_multi()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      announce_(std::move(announce)),
      thread_(without_signals([this] { run(); })) {}

TransferThread::~TransferThread() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake();
  thread_.join();
  while (!transfers_.empty()) drop(transfers_.begin()->first);
  commands_.clear();
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
  ::close(wake_);
  ::close(epoll_);
}

int TransferThread::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  const int epoll = static_cast<TransferThread*>(self)->epoll_;
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  event.data.fd = socket;
  // A number that was closed and given out again has left the set by itself.
  if (::epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0 && errno == ENOENT) {
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
  }
  return 0;
}

int TransferThread::on_timer(CURLM*, long milliseconds, void* self) {
  static_cast<TransferThread*>(self)->curl_at_ =
      milliseconds < 0 ? SteadyTime::max()
                       : std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  return 0;
}

void TransferThread::start(HttpClient::Id id, Call call) {
  const auto now = std::chrono::steady_clock::now();
  command({.id = id,
           .transfer = std::make_unique<Transfer>(id, std::move(call), now),
           .is_release = false});
}

void TransferThread::cancel(HttpClient::Id id) {
  command({.id = id, .transfer = nullptr, .is_release = false});
}

void TransferThread::release(HttpClient::Id id) {
  command({.id = id, .transfer = nullptr, .is_release = true});
}

void TransferThread::command(Command command) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = commands_.empty();
    commands_.push_back(std::move(command));
  }
  if (is_first) wake();
}

std::vector<Delivery> TransferThread::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outbox_, {});
}

void TransferThread::wake() const {
  const std::uint64_t one = 1;
  HF_ASSERT(::write(wake_, &one, sizeof one) == sizeof one);
}

void TransferThread::run() {
  HF_ASSERT(epoll_ >= 0 && wake_ >= 0);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &TransferThread::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &TransferThread::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  HF_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
  while (obey()) {
    if (curl_at_ <= std::chrono::steady_clock::now()) {
      curl_at_ = SteadyTime::max();
      int running = 0;
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect_finished();
    expire();
    publish();
    wait();
  }
}

bool TransferThread::obey() {
  std::vector<Command> commands;
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return false;
    commands.swap(commands_);
  }
  for (Command& command : commands) {
    if (command.transfer) {
      begin(std::move(command.transfer));
    } else if (command.is_release) {
      wind_up(command.id);
    } else {
      drop(command.id);
    }
  }
  return true;
}

void TransferThread::begin(std::unique_ptr<Transfer> transfer) {
  const HttpClient::Id id = transfer->id();
  if (auto refused = transfer->prepare(sink_)) {
    ready_.push_back({.id = id, .head = {}, .status = 0, .bytes = {}, .done = std::move(refused)});
    return;
  }
  CURL* const easy = transfer->easy();
  const SteadyTime at = transfer->deadline();
  checks_.insert({at, id});
  transfers_.emplace(id, Entry{.transfer = std::move(transfer), .check_at = at});
  curl_multi_add_handle(multi_, easy);
}

void TransferThread::take_head(HttpClient::Id id, CallHead head) {
  ready_.push_back(
      {.id = id, .head = std::move(head), .status = 0, .bytes = {}, .done = std::nullopt});
}

void TransferThread::take(HttpClient::Id id, int status, std::string_view bytes) {
  // Joined, because a server may send single bytes, each of them a chunk.
  if (!ready_.empty() && ready_.back().id == id && !ready_.back().done && !ready_.back().head) {
    ready_.back().bytes.append(bytes);
  } else {
    ready_.push_back(
        {.id = id, .head = {}, .status = status, .bytes = std::string(bytes), .done = {}});
  }
  check_earlier(id, transfers_.at(id));
}

void TransferThread::wind_up(HttpClient::Id id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  found->second.transfer->end_until(std::chrono::steady_clock::now() + kEndingMax);
  check_earlier(id, found->second);
}

// Deadlines that move away are noticed when the old moment comes; only nearer ones need this.
void TransferThread::check_earlier(HttpClient::Id id, Entry& entry) {
  const SteadyTime at = entry.transfer->deadline();
  if (at >= entry.check_at) return;
  checks_.erase({entry.check_at, id});
  entry.check_at = at;
  checks_.insert({at, id});
}

void TransferThread::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finish(transfer->id(), transfer->finished(message->data.result));
  }
}

void TransferThread::expire() {
  const auto now = std::chrono::steady_clock::now();
  while (!checks_.empty() && checks_.begin()->first <= now) {
    const HttpClient::Id id = checks_.begin()->second;
    Entry& entry = transfers_.at(id);
    const SteadyTime at = entry.transfer->deadline();
    if (at <= now) {
      finish(id, entry.transfer->timed_out());
      continue;
    }
    checks_.erase(checks_.begin());
    entry.check_at = at;
    checks_.insert({at, id});
  }
}

void TransferThread::finish(HttpClient::Id id, CallResult result) {
  drop(id);
  const int status = result.status;
  ready_.push_back(
      {.id = id, .head = {}, .status = status, .bytes = {}, .done = std::move(result)});
}

void TransferThread::drop(HttpClient::Id id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_, found->second.transfer->easy());
  checks_.erase({found->second.check_at, id});
  transfers_.erase(found);
}

void TransferThread::publish() {
  if (ready_.empty()) return;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = outbox_.empty();
    std::ranges::move(ready_, std::back_inserter(outbox_));
  }
  ready_.clear();
  if (is_first) announce_();
}

void TransferThread::wait() {
  std::array<epoll_event, 64> events{};
  const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), idle_milliseconds());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_) {
      std::uint64_t wakes = 0;
      HF_ASSERT(::read(wake_, &wakes, sizeof wakes) == sizeof wakes);
      continue;
    }
    int happened = 0;
    if ((event.events & EPOLLIN) != 0) happened |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) happened |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) happened |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, event.data.fd, happened, &running);
  }
}

int TransferThread::idle_milliseconds() const {
  const SteadyTime at = checks_.empty() ? curl_at_ : std::min(curl_at_, checks_.begin()->first);
  if (at == SteadyTime::max()) return static_cast<int>(kPollMax.count());
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(at - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds>(left, {}, kPollMax).count());
}

}  // namespace hf::net
