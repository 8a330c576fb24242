#include "net/http_client.h"

#include <map>
#include <utility>

#include "net/direct_client.h"
#include "net/transfer_thread.h"

namespace hf::net {
namespace {

// The calls that go through libcurl's thread.
class CurlClient {
 public:
  explicit CurlClient(EventLoop& loop)
      : self_(std::make_shared<CurlClient*>(this)), thread_([&loop, self = self_] {
          loop.post([self] {
            if (*self) (*self)->deliver();
          });
        }) {}
  ~CurlClient() { *self_ = nullptr; }
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  void start(HttpClient::Id id, Call call, CallListener listener) {
    listeners_.emplace(id, std::make_shared<CallListener>(std::move(listener)));
    thread_.start(id, std::move(call));
  }
  void cancel(HttpClient::Id id) {
    if (listeners_.erase(id) > 0) thread_.cancel(id);
  }
  void release(HttpClient::Id id) {
    if (listeners_.erase(id) > 0) thread_.release(id);
  }

 private:
  // A callback may start and cancel calls, its own too, and may destroy the client.
  void deliver() {
    const auto self = self_;
    for (const Delivery& delivery : thread_.take()) {
      if (!*self) return;
      const auto found = listeners_.find(delivery.id);
      if (found == listeners_.end()) continue;
      const auto listener = found->second;
      if (delivery.done) {
        listeners_.erase(found);
        if (listener->on_done) listener->on_done(*delivery.done);
      } else if (delivery.head) {
        if (listener->on_head) listener->on_head(*delivery.head);
      } else if (listener->on_bytes) {
        listener->on_bytes(delivery.status, delivery.bytes);
      }
    }
  }

  const std::shared_ptr<CurlClient*> self_;  // Empty once the client is gone.
  std::map<HttpClient::Id, std::shared_ptr<CallListener>> listeners_;
  TransferThread thread_;  // Goes first.
};

class Client final : public HttpClient {
 public:
  Client(EventLoop& loop, Transport transport)
      : loop_(loop), transport_(transport), direct_(loop) {}

  Id start(Call call, CallListener listener) override {
    const Id id = ++last_id_;
    std::optional<DirectRoute> route;
    if (transport_ == Transport::kShortest) route = direct_route(call);
    if (route) {
      direct_.start(id, *std::move(route), std::move(call), std::move(listener));
    } else {
      // Not before it is needed: a thread and its libraries cost memory and time at the start.
      if (!curl_) curl_.emplace(loop_);
      curl_->start(id, std::move(call), std::move(listener));
    }
    return id;
  }
  void cancel(Id id) override {
    if (!direct_.cancel(id) && curl_) curl_->cancel(id);
  }
  void release(Id id) override {
    if (!direct_.release(id) && curl_) curl_->release(id);
  }

 private:
  EventLoop& loop_;
  const Transport transport_;
  DirectClient direct_;
  std::optional<CurlClient> curl_;
  Id last_id_ = 0;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::create(EventLoop& loop, Transport transport) {
  return std::make_unique<Client>(loop, transport);
}

}  // namespace hf::net
