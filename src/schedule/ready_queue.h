// Jobs that look for a place, in the order in which they are served: the longest way to the answer
// first, then the earlier query. An entry moves from queue to queue without allocation (`extract`
// and `insert`). Thread safety: none.
#pragma once

#include <cstdint>
#include <set>
#include <tuple>

namespace hf {

struct Query;

struct Ready {
  std::int64_t priority = 0;
  std::uint64_t arrival_order = 0;
  std::uint32_t job = 0;
  Query* query = nullptr;

  friend bool operator<(const Ready& a, const Ready& b) {
    return std::tuple(-a.priority, a.arrival_order, a.job) <
           std::tuple(-b.priority, b.arrival_order, b.job);
  }
};

using ReadyQueue = std::set<Ready>;

}  // namespace hf
