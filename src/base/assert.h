// Invariants, checked in release builds too. For mistakes of this program, never for input.
#pragma once

namespace hf {

// Prints where and what, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

#define HF_ASSERT(condition) \
  (static_cast<bool>(condition) ? void() : ::hf::assertion_failed(#condition, __FILE__, __LINE__))

}  // namespace hf
