// Counters of a running engine. Thread safety: each counter by itself; together they are a snapshot
// only roughly.
#pragma once

#include <atomic>
#include <cstdint>

namespace hf::engine {

struct Stats {
  std::atomic<std::uint64_t> prompt_tokens{0};  // Cached ones included.
  std::atomic<std::uint64_t> cached_tokens{0};
  std::atomic<std::uint64_t> completion_tokens{0};
  std::atomic<std::uint64_t> decode_microseconds{0};
  std::atomic<std::uint64_t> decode_steps{0};
  std::atomic<std::uint64_t> queued{0};
  std::atomic<std::uint64_t> active{0};
  std::atomic<std::uint64_t> threads{0};  // Cores leased now.
  std::atomic<std::uint64_t> cells_used{0};
  std::atomic<std::uint64_t> cells{0};
};

}  // namespace hf::engine
