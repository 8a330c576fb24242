// The calls that need no libcurl: their connections, kept by place for reuse, and their timeouts.
//
// No thread, and no timer of its own per call: one timer looks at all deadlines when the nearest
// that was known may have come. Loop thread only.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <list>
#include <memory>
#include <unordered_map>

#include "net/direct_connection.h"
#include "net/event_loop.h"

namespace hf::net {

class DirectClient final : public DirectConnection::Owner {
 public:
  explicit DirectClient(EventLoop& loop);
  ~DirectClient();  // Closes everything; no callback happens afterwards.
  DirectClient(const DirectClient&) = delete;
  DirectClient& operator=(const DirectClient&) = delete;

  // As HttpClient's.
  void start(HttpClient::Id id, DirectRoute route, Call call, CallListener listener);
  // False if it has no such call.
  bool cancel(HttpClient::Id id);
  bool release(HttpClient::Id id);

 private:
  using Connections = std::list<std::shared_ptr<DirectConnection>>;
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>,
                                        DirectConnection::Executor>;

  void begin(std::shared_ptr<DirectExchange> exchange);
  [[nodiscard]] DirectConnection* take_idle(const std::string& place);
  void expire();

  void forget(HttpClient::Id id) override { busy_.erase(id); }
  void park(DirectConnection& connection) override;
  void drop(DirectConnection& connection) override;
  void repeat(std::shared_ptr<DirectExchange> exchange) override { begin(std::move(exchange)); }
  bool take_over(const std::shared_ptr<DirectExchange>& exchange) override;
  void arm(SteadyTime deadline) override;

  const std::shared_ptr<DirectClient*> self_;  // Empty once the client is gone.
  const DirectConnection::Executor executor_;
  Timer timer_;
  SteadyTime armed_at_ = SteadyTime::max();
  Connections active_;
  Connections idle_;  // The longest idle one is first.
  std::unordered_map<HttpClient::Id, DirectConnection*> busy_;
};

}  // namespace hf::net
