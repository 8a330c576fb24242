// Counts every allocation of the program that includes it, for tests and benchmarks. To be included
// in one source of a program only: it replaces the operators new and delete.
//
// Thread safety: none; who includes it has one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {
std::int64_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  ++allocations;
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
