#include "net/http_client.h"

#include <map>

#include "net/transfer_thread.h"

namespace hf::net {
namespace {

class Client final : public HttpClient {
 public:
  explicit Client(EventLoop& loop)
      : self_(std::make_shared<Client*>(this)), thread_([&loop, self = self_] {
          loop.post([self] {
            if (*self) (*self)->deliver();
          });
        }) {}
  ~Client() override { *self_ = nullptr; }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Id start(Call call, CallListener listener) override {
    const Id id = ++last_id_;
    listeners_.emplace(id, std::make_shared<CallListener>(std::move(listener)));
    thread_.start(id, std::move(call));
    return id;
  }

  void cancel(Id id) override {
    if (listeners_.erase(id) > 0) thread_.cancel(id);
  }

  void release(Id id) override {
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
      } else if (listener->on_bytes) {
        listener->on_bytes(delivery.status, delivery.bytes);
      }
    }
  }

  const std::shared_ptr<Client*> self_;  // Empty once the client is gone.
  std::map<Id, std::shared_ptr<CallListener>> listeners_;
  Id last_id_ = 0;
  TransferThread thread_;  // Goes first.
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::create(EventLoop& loop) {
  return std::make_unique<Client>(loop);
}

}  // namespace hf::net
