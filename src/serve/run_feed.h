// What happens in one run, kept in order for those who follow it, from the beginning or midway.
// Thread safety: the loop's thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"

namespace hf::serve {

class RunFeed {
 public:
  // Writes an event, as JSON: only once somebody follows, since few runs are followed.
  using Event = std::move_only_function<std::string()>;

  // Beyond a thousand only followers get them.
  void add(Event event);
  // A stream of server-sent events: what was so far, then what comes.
  void follow(std::shared_ptr<net::Responder> responder);
  // The last event; followers are let go. Nobody may follow any more.
  void end(Event event);

 private:
  void send(Event& event);

  static constexpr std::size_t kEventsMax = 1'000;

  std::vector<Event> events_;
  std::vector<std::shared_ptr<net::Responder>> followers_;
};

// One event as it is sent.
std::string feed_frame(std::string_view event);

}  // namespace hf::serve
