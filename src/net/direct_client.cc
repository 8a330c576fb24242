#include "net/direct_client.h"

#include <algorithm>
#include <utility>

#include "net/event_loop_impl.h"

namespace hf::net {
namespace {

constexpr std::size_t kIdleConnectionsMax = 256;
constexpr std::chrono::milliseconds kWindUpMax = std::chrono::seconds(1);

}  // namespace

DirectClient::DirectClient(EventLoop& loop)
    : self_(std::make_shared<DirectClient*>(this)),
      executor_(loop.impl().context.get_executor()),
      timer_(executor_) {}

DirectClient::~DirectClient() {
  *self_ = nullptr;
  for (const Connections* connections : {&active_, &idle_}) {
    for (const auto& connection : *connections) connection->close();
  }
}

void DirectClient::start(HttpClient::Id id, DirectRoute route, Call call, CallListener listener) {
  begin(std::make_shared<DirectExchange>(id, std::move(call), std::move(listener), std::move(route),
                                         std::chrono::steady_clock::now()));
}

void DirectClient::begin(std::shared_ptr<DirectExchange> exchange) {
  if (take_over(exchange)) return;
  active_.push_back(std::make_shared<DirectConnection>(executor_, *this, exchange->route.place));
  DirectConnection& connection = *active_.back();
  connection.position = std::prev(active_.end());
  busy_[exchange->id] = &connection;
  connection.connect(std::move(exchange));
  arm(connection.deadline());
}

bool DirectClient::take_over(const std::shared_ptr<DirectExchange>& exchange) {
  DirectConnection* const connection = take_idle(exchange->route.place);
  if (connection == nullptr) return false;
  busy_[exchange->id] = connection;
  connection->carry(exchange);
  arm(connection->deadline());
  return true;
}

// The one that was used last, because it is the least likely to be closed by the server.
DirectConnection* DirectClient::take_idle(const std::string& place) {
  for (auto next = idle_.end(); next != idle_.begin();) {
    const auto candidate = --next;
    DirectConnection* const connection = candidate->get();
    if (connection->place() != place) continue;
    if (connection->is_fresh()) {
      active_.splice(active_.end(), idle_, candidate);
      return connection;
    }
    connection->close();
    next = idle_.erase(candidate);
  }
  return nullptr;
}

bool DirectClient::cancel(HttpClient::Id id) {
  const auto found = busy_.find(id);
  if (found == busy_.end()) return false;
  const auto connection = found->second->shared_from_this();
  busy_.erase(found);
  drop(*connection);
  connection->close();
  return true;
}

bool DirectClient::release(HttpClient::Id id) {
  const auto found = busy_.find(id);
  if (found == busy_.end()) return false;
  const auto connection = found->second->shared_from_this();
  connection->wind_up(std::chrono::steady_clock::now() + kWindUpMax);
  arm(connection->deadline());
  return true;
}

void DirectClient::park(DirectConnection& connection) {
  idle_.splice(idle_.end(), active_, connection.position);
  if (idle_.size() > kIdleConnectionsMax) {
    idle_.front()->close();
    idle_.pop_front();
  }
  arm(connection.deadline());
}

void DirectClient::drop(DirectConnection& connection) {
  (connection.is_idle() ? idle_ : active_).erase(connection.position);
}

void DirectClient::arm(SteadyTime deadline) {
  if (deadline >= armed_at_) return;
  armed_at_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (!error && *self) (*self)->expire();
  });
}

void DirectClient::expire() {
  const SteadyTime now = std::chrono::steady_clock::now();
  armed_at_ = SteadyTime::max();
  SteadyTime next = SteadyTime::max();
  Connections due;  // Copied: what they are told may change everything here.
  for (const Connections* connections : {&active_, &idle_}) {
    for (const auto& connection : *connections) {
      const SteadyTime deadline = connection->deadline();
      if (deadline <= now) {
        due.push_back(connection);
      } else {
        next = std::min(next, deadline);
      }
    }
  }
  if (next != SteadyTime::max()) arm(next);
  for (const auto& connection : due) {
    if (connection->deadline() <= now) connection->expire();
  }
}

}  // namespace hf::net
