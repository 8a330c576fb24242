// Requests that a client may repeat: one that comes again under the same key gets the answer of the
// first, whole or as far as it is, instead of another run.
//
// Only answers of success are kept, so that a failure can be tried again. Thread safety: the loop's
// thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace hf::serve {

class Idempotency {
 public:
  struct Options {
    std::size_t answers_max = 1'000;
    std::size_t bytes_max = 64 * 1024 * 1024;  // Of answers that are kept.
    std::int64_t seconds = 24 * 3600;
  };
  explicit Idempotency(Options options) : options_(options) {}

  enum class Found : std::uint8_t {
    kNew,       // To be answered; `responder` is now one that keeps the answer.
    kKnown,     // `responder` gets the first one's answer.
    kConflict,  // The key was used for another body.
  };
  // `key` is unique among all callers. `now` is in Unix seconds.
  Found enter(const std::string& key, std::string_view body, std::int64_t now,
              std::shared_ptr<net::Responder>& responder);

 private:
  class Record;
  class Keeping;
  void forget_old(std::int64_t now);

  const Options options_;
  std::map<std::string, std::shared_ptr<Record>> records_;
  std::deque<std::string> order_;  // The oldest first.
};

}  // namespace hf::serve
