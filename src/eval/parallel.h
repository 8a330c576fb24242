// Independent pieces of work on several threads.
//
// Thread safety: the function may be called from anywhere; what `work` touches is its own matter.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace hf::eval {

// Calls work(0) to work(count - 1), each once, on at most `jobs` threads, and returns when all are
// done. Which thread does what is left to chance: results must not depend on it. `work` must not
// throw.
template <class Work>
void in_parallel(std::size_t count, unsigned jobs, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  if (jobs <= 1 || count <= 1) return run();
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < jobs && i < count; ++i) threads.emplace_back(run);
  run();
}

}  // namespace hf::eval
