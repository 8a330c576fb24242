#include "serve/run_feed.h"

#include <fmt/format.h>

#include <utility>

namespace hf::serve {

std::string feed_frame(std::string_view event) {
  return fmt::format("event: hybridflow.run\ndata: {}\n\n", event);
}

void RunFeed::send(Event& event) {
  if (followers_.empty()) return;
  const std::string frame = feed_frame(event());
  std::erase_if(followers_, [&](const auto& each) { return !each->write(frame); });
}

void RunFeed::add(Event event) {
  send(event);
  if (events_.size() < kEventsMax) events_.push_back(std::move(event));
}

void RunFeed::follow(std::shared_ptr<net::Responder> responder) {
  responder->begin(200, "text/event-stream", {{"Cache-Control", "no-cache"}});
  for (Event& event : events_) {
    if (!responder->write(feed_frame(event()))) return;
  }
  followers_.push_back(std::move(responder));
}

void RunFeed::end(Event event) {
  send(event);
  for (const auto& each : followers_) each->end();
  followers_.clear();
}

}  // namespace hf::serve
